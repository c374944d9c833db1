import { Button, Card, Stack, Table, Tabs, Text } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { ask } from '../api/ask.ts';
import type { Access, Audit } from '../api/replies.ts';
import { exact } from '../pieces/format.ts';
import { Page, useTitle } from '../pieces/page.tsx';
import { Empty, Failed, Loading } from '../pieces/page-state.tsx';
import { Tone } from '../pieces/state-badge.tsx';
import { When } from '../pieces/when.tsx';
import { WideTable } from '../pieces/wide-table.tsx';
import { isAtLeast, useSession } from '../session/session.ts';

export default function SettingsPage() {
  useTitle('Settings');
  const session = useSession();
  const isAdmin = isAtLeast(session, 'admin');
  return (
    <Page title="Settings">
      <Tabs defaultValue="registries" keepMounted={false}>
        <Tabs.List aria-label="Settings">
          <Tabs.Tab value="registries">Registries</Tabs.Tab>
          <Tabs.Tab value="keys">Your access keys</Tabs.Tab>
          {isAdmin && <Tabs.Tab value="audit">Audit log</Tabs.Tab>}
        </Tabs.List>
        <Tabs.Panel value="registries" pt="md">
          <Registries />
        </Tabs.Panel>
        <Tabs.Panel value="keys" pt="md">
          <Keys />
        </Tabs.Panel>
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
    queryFn: async ({ signal }) => (await ask('GET', '/api/v1/access', { signal })) as Access,
  });

function Registries() {
  const access = useAccess();
  if (access.isPending) return <Loading rows={3} />;
  if (!access.data) return <Failed error={access.error} again={() => void access.refetch()} />;
  if (access.data.Registries.length === 0)
    return <Empty title="No registry yet">An operator adds one: npm run admin -- registry put ACCOUNT ID HOST</Empty>;
  return (
    <Card withBorder>
      <WideTable label="Registries" minWidth={420}>
        <Table>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Connection</Table.Th>
              <Table.Th>Host</Table.Th>
              <Table.Th>TLS</Table.Th>
              <Table.Th>Signs in</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {access.data.Registries.map((it) => (
              <Table.Tr key={it.InstanceId}>
                <Table.Td>{it.InstanceId}</Table.Td>
                <Table.Td>{it.Host}</Table.Td>
                <Table.Td>
                  <Tone tone={it.Tls === 'verify' ? 'good' : 'warn'}>{it.Tls}</Tone>
                </Table.Td>
                <Table.Td>{it.SignsIn ? 'with a password' : 'as nobody'}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </WideTable>
    </Card>
  );
}

function Keys() {
  const access = useAccess();
  if (access.isPending) return <Loading rows={3} />;
  if (!access.data) return <Failed error={access.error} again={() => void access.refetch()} />;
  if (access.data.AccessKeys.length === 0)
    return (
      <Empty title="You have no access key">
        They sign the requests of the clouds’ own clients; an operator makes them.
      </Empty>
    );
  return (
    <Card withBorder>
      <WideTable label="Access keys" minWidth={520}>
        <Table>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Key</Table.Th>
              <Table.Th>Good for</Table.Th>
              <Table.Th>Made</Table.Th>
              <Table.Th>Last used</Table.Th>
              <Table.Th>Ends</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {access.data.AccessKeys.map((it) => (
              <Table.Tr key={it.AccessKeyId}>
                <Table.Td ff="monospace">{it.AccessKeyId}</Table.Td>
                <Table.Td>{it.Scopes?.join(', ') ?? 'all that you may do'}</Table.Td>
                <Table.Td>
                  <When at={it.GmtCreateTime} />
                </Table.Td>
                <Table.Td>{it.GmtLastUseTime === undefined ? 'never' : <When at={it.GmtLastUseTime} />}</Table.Td>
                <Table.Td>{it.GmtExpireTime === undefined ? 'never' : exact(it.GmtExpireTime)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </WideTable>
    </Card>
  );
}

const pageSize = 50;

function AuditLog() {
  const pages = useInfiniteQuery({
    queryKey: ['audit'],
    queryFn: async ({ pageParam, signal }) =>
      (await ask('GET', '/api/v1/audit', { query: { Limit: pageSize, Before: pageParam }, signal })) as Audit,
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
        <WideTable label="Audit log" minWidth={720}>
          <Table>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>When</Table.Th>
                <Table.Th>Who</Table.Th>
                <Table.Th>What</Table.Th>
                <Table.Th>On</Table.Th>
                <Table.Th>Came of it</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {records.map((it) => (
                <Table.Tr key={it.Number}>
                  <Table.Td style={{ whiteSpace: 'nowrap' }}>{exact(it.Time)}</Table.Td>
                  <Table.Td>{it.Actor}</Table.Td>
                  <Table.Td>{it.Action}</Table.Td>
                  <Table.Td>
                    <Text size="sm" ff="monospace" style={{ overflowWrap: 'anywhere' }}>
                      {it.Target}
                    </Text>
                  </Table.Td>
                  <Table.Td>
                    <Tone tone={it.Outcome === 'ok' ? 'good' : 'bad'}>{it.Outcome}</Tone>
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </WideTable>
      </Card>
      {pages.hasNextPage && (
        <Button variant="default" loading={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()}>
          Earlier records
        </Button>
      )}
    </Stack>
  );
}
