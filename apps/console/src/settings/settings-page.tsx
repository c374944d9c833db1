import { Button, Card, Stack, Tabs, Text } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { answer, api } from '../api/api-client.ts';
import type { Audit } from '../api/replies.ts';
import { useAddress } from '../components/address.ts';
import { Answered } from '../components/answered.tsx';
import { DataTable } from '../components/data-table.tsx';
import { exact } from '../components/format.ts';
import { Page, useTitle } from '../components/page.tsx';
import { Empty, Failed, Loading } from '../components/page-state.tsx';
import { Tone } from '../components/state-badge.tsx';
import { When } from '../components/when.tsx';
import { isAtLeast, useSession } from '../session/session.ts';
import { WebhookSettings } from './webhooks.tsx';

export default function SettingsPage() {
  useTitle('Settings');
  const session = useSession();
  const isAdmin = isAtLeast(session, 'admin');
  const { field, set } = useAddress();
  const tabs = ['registries', 'keys', ...(isAdmin ? ['webhooks', 'audit'] : [])];
  return (
    <Page title="Settings">
      <Tabs
        value={tabs.includes(field('tab')) ? field('tab') : 'registries'}
        onChange={(tab) => set({ tab: tab ?? '' })}
        keepMounted={false}
      >
        <Tabs.List aria-label="Settings">
          <Tabs.Tab value="registries">Registries</Tabs.Tab>
          <Tabs.Tab value="keys">Your access keys</Tabs.Tab>
          {isAdmin && <Tabs.Tab value="webhooks">Webhooks</Tabs.Tab>}
          {isAdmin && <Tabs.Tab value="audit">Audit log</Tabs.Tab>}
        </Tabs.List>
        <Tabs.Panel value="registries" pt="md">
          <Registries />
        </Tabs.Panel>
        <Tabs.Panel value="keys" pt="md">
          <Keys />
        </Tabs.Panel>
        {isAdmin && (
          <Tabs.Panel value="webhooks" pt="md">
            <WebhookSettings />
          </Tabs.Panel>
        )}
        {isAdmin && (
          <Tabs.Panel value="audit" pt="md">
            <AuditLog />
          </Tabs.Panel>
        )}
      </Tabs>
    </Page>
  );
}

const useAccess = () =>
  useQuery({
    queryKey: ['access'],
    queryFn: ({ signal }) => answer(api.GET('/api/v1/access', { signal })),
  });

function Registries() {
  return (
    <Answered query={useAccess()} rows={3}>
      {({ Registries: rows }) =>
        rows.length === 0 ? (
          <Empty title="No registry yet">An operator adds one: npm run admin -- registry put ACCOUNT ID HOST</Empty>
        ) : (
          <Card withBorder>
            <DataTable
              label="Registries"
              minWidth={420}
              rows={rows}
              keyOf={(it) => it.InstanceId}
              columns={[
                { title: 'Connection', cell: (it) => it.InstanceId },
                { title: 'Host', cell: (it) => it.Host },
                { title: 'TLS', cell: (it) => <Tone tone={it.Tls === 'verify' ? 'good' : 'warn'}>{it.Tls}</Tone> },
                { title: 'Signs in', cell: (it) => (it.SignsIn ? 'with a password' : 'as nobody') },
              ]}
            />
          </Card>
        )
      }
    </Answered>
  );
}

function Keys() {
  return (
    <Answered query={useAccess()} rows={3}>
      {({ AccessKeys: rows }) =>
        rows.length === 0 ? (
          <Empty title="You have no access key">
            They sign the requests of the clouds’ own clients; an operator makes them.
          </Empty>
        ) : (
          <Card withBorder>
            <DataTable
              label="Access keys"
              minWidth={520}
              rows={rows}
              keyOf={(it) => it.AccessKeyId}
              columns={[
                {
                  title: 'Key',
                  cell: (it) => (
                    <Text size="sm" ff="monospace">
                      {it.AccessKeyId}
                    </Text>
                  ),
                },
                { title: 'Good for', cell: (it) => it.Scopes?.join(', ') ?? 'all that you may do' },
                { title: 'Made', cell: (it) => <When at={it.GmtCreateTime} /> },
                {
                  title: 'Last used',
                  cell: (it) => (it.GmtLastUseTime === undefined ? 'never' : <When at={it.GmtLastUseTime} />),
                },
                { title: 'Ends', cell: (it) => (it.GmtExpireTime === undefined ? 'never' : exact(it.GmtExpireTime)) },
              ]}
            />
          </Card>
        )
      }
    </Answered>
  );
}

const pageSize = 50;

function AuditLog() {
  const pages = useInfiniteQuery({
    queryKey: ['audit'],
    queryFn: ({ pageParam, signal }) =>
      answer(api.GET('/api/v1/audit', { params: { query: { Limit: pageSize, Before: pageParam } }, signal })),
    initialPageParam: undefined as number | undefined,
    getNextPageParam: ({ Records }: Audit) => (Records.length < pageSize ? undefined : Records.at(-1)?.Number),
  });
  if (pages.isPending) return <Loading rows={10} height={30} />;
  if (!pages.data) return <Failed error={pages.error} again={() => void pages.refetch()} />;
  const records = pages.data.pages.flatMap((it) => it.Records);
  if (records.length === 0) return <Empty title="Nothing is on record yet" />;
  return (
    <Stack>
      <Card withBorder>
        <DataTable
          label="Audit log"
          minWidth={720}
          rows={records}
          keyOf={(it) => it.Number}
          columns={[
            { title: 'When', cell: (it) => exact(it.Time) },
            { title: 'Who', cell: (it) => it.Actor },
            { title: 'What', cell: (it) => it.Action },
            {
              title: 'On',
              cell: (it) => (
                <Text size="sm" ff="monospace" style={{ overflowWrap: 'anywhere' }}>
                  {it.Target}
                </Text>
              ),
            },
            {
              title: 'Came of it',
              cell: (it) => <Tone tone={it.Outcome === 'ok' ? 'good' : 'bad'}>{it.Outcome}</Tone>,
            },
          ]}
        />
      </Card>
      {pages.hasNextPage && (
        <Button variant="default" loading={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()}>
          Earlier records
        </Button>
      )}
    </Stack>
  );
}
