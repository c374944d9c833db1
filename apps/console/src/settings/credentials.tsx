import { Card, Group, NumberInput, Select, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { answer, api } from '../api/api-client.ts';
import { Answered } from '../components/answered.tsx';
import { type Column, DataTable } from '../components/data-table.tsx';
import { exact } from '../components/format.ts';
import { Empty } from '../components/page-state.tsx';
import { When } from '../components/when.tsx';
import { RemoveButton, SettingsForm, useMaking } from './settings-form.tsx';
import { ShownOnce } from './shown-once.tsx';
import { useAccess } from './use-access.ts';

const goodFor = {
  all: { label: 'All that you may do', scopes: undefined },
  build: {
    label: 'Building, and reading builds and images',
    scopes: ['builds:read', 'builds:write', 'images:read'] as ('builds:read' | 'builds:write' | 'images:read')[],
  },
  read: {
    label: 'Reading builds and images',
    scopes: ['builds:read', 'images:read'] as ('builds:read' | 'images:read')[],
  },
};
type GoodFor = keyof typeof goodFor;
const choices = Object.entries(goodFor).map(([value, { label }]) => ({ value, label }));

/** What is told of a token and of a key alike. */
const usage: Column<{
  Scopes?: string[] | undefined;
  GmtCreateTime: string;
  GmtLastUseTime?: string | undefined;
  GmtExpireTime?: string | undefined;
}>[] = [
  { title: 'Good for', cell: (it) => it.Scopes?.join(', ') ?? 'everything' },
  { title: 'Made', cell: (it) => <When at={it.GmtCreateTime} /> },
  { title: 'Last used', cell: (it) => (it.GmtLastUseTime === undefined ? 'never' : <When at={it.GmtLastUseTime} />) },
  { title: 'Ends', cell: (it) => (it.GmtExpireTime === undefined ? 'never' : exact(it.GmtExpireTime)) },
];

/** What the user proves themselves with elsewhere: tokens, and access keys for the clouds' own clients. */
export function Credentials() {
  return (
    <Stack gap="lg">
      <NewToken />
      <TokenTable />
      <NewKey />
      <KeyTable />
    </Stack>
  );
}

function NewToken() {
  const [days, setDays] = useState<number | string>(90);
  const [what, setWhat] = useState<GoodFor>('all');
  const making = useMaking(['tokens'], () => {
    const { scopes } = goodFor[what];
    return answer(api.POST('/api/v1/tokens', { body: { Days: Number(days), ...(scopes ? { Scopes: scopes } : {}) } }));
  });
  return (
    <SettingsForm title="New token" button="Make a token" making={making}>
      <Group align="end">
        <NumberInput label="Days until it ends" min={1} max={3650} value={days} onChange={setDays} w={160} />
        <Select
          label="Good for"
          allowDeselect={false}
          data={choices}
          value={what}
          onChange={(it) => setWhat((it ?? 'all') as GoodFor)}
          style={{ flexGrow: 1 }}
        />
      </Group>
      {making.data && (
        <ShownOnce title="Keep the token: it is shown this once" secret={making.data.Token}>
          For the kiln command, and for Authorization: Bearer.
        </ShownOnce>
      )}
    </SettingsForm>
  );
}

function TokenTable() {
  const tokens = useQuery({
    queryKey: ['tokens'],
    queryFn: ({ signal }) => answer(api.GET('/api/v1/tokens', { signal })),
  });
  return (
    <Answered query={tokens} rows={2}>
      {({ Tokens: rows }) =>
        rows.length === 0 ? (
          <Empty title="No token yet" />
        ) : (
          <Card withBorder>
            <DataTable
              label="Tokens"
              minWidth={620}
              rows={rows}
              keyOf={(it) => it.TokenId}
              columns={[
                { title: 'Token', cell: (it) => <Id text={it.TokenId.slice(0, 8)} /> },
                ...usage,
                {
                  title: 'Do',
                  end: true,
                  cell: (it) => (
                    <RemoveButton
                      label={`Remove token ${it.TokenId.slice(0, 8)}`}
                      question="Revoke this token? What uses it stops working within two seconds."
                      keys={['tokens']}
                      remove={() =>
                        answer(api.DELETE('/api/v1/tokens/{TokenId}', { params: { path: { TokenId: it.TokenId } } }))
                      }
                    />
                  ),
                },
              ]}
            />
          </Card>
        )
      }
    </Answered>
  );
}

function NewKey() {
  const making = useMaking(['access'], () => answer(api.POST('/api/v1/accesskeys', { body: {} })));
  return (
    <SettingsForm title="New access key" button="Make an access key" making={making}>
      <Text size="sm">It signs the requests of the clouds’ own clients.</Text>
      {making.data && (
        <ShownOnce
          title={`Keep the secret of ${making.data.AccessKeyId}: it is shown this once`}
          secret={making.data.AccessKeySecret}
        />
      )}
    </SettingsForm>
  );
}

function KeyTable() {
  return (
    <Answered query={useAccess()} rows={2}>
      {({ AccessKeys: rows }) =>
        rows.length === 0 ? (
          <Empty title="You have no access key" />
        ) : (
          <Card withBorder>
            <DataTable
              label="Access keys"
              minWidth={620}
              rows={rows}
              keyOf={(it) => it.AccessKeyId}
              columns={[
                { title: 'Key', cell: (it) => <Id text={it.AccessKeyId} /> },
                ...usage,
                {
                  title: 'Do',
                  end: true,
                  cell: (it) => (
                    <RemoveButton
                      label={`Remove access key ${it.AccessKeyId}`}
                      question="Revoke this access key? What signs with it stops working within two seconds."
                      keys={['access']}
                      remove={() =>
                        answer(
                          api.DELETE('/api/v1/accesskeys/{AccessKeyId}', {
                            params: { path: { AccessKeyId: it.AccessKeyId } },
                          }),
                        )
                      }
                    />
                  ),
                },
              ]}
            />
          </Card>
        )
      }
    </Answered>
  );
}

const Id = ({ text }: { text: string }) => (
  <Text size="sm" ff="monospace">
    {text}
  </Text>
);
