import { Button, Card, Stack, Tabs, Text } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { answer, api } from '../api/api-client.ts';
import type { Audit } from '../api/replies.ts';
import { useAddress } from '../components/address.ts';
import { DataTable } from '../components/data-table.tsx';
import { exact } from '../components/format.ts';
import { Page, useTitle } from '../components/page.tsx';
import { Empty, Failed, Loading } from '../components/page-state.tsx';
import { Tone } from '../components/state-badge.tsx';
import { isAtLeast, useSession } from '../session/session.ts';
import { BuildsSettings } from './builds-settings.tsx';
import { Credentials } from './credentials.tsx';
import { PolicySettings } from './policy.tsx';
import { Registries } from './registries.tsx';
import { Users } from './users.tsx';
import { WebhookSettings } from './webhooks.tsx';

const tabs = [
  { value: 'registries', label: 'Registries', panel: Registries },
  { value: 'keys', label: 'Your tokens and keys', panel: Credentials },
  { value: 'users', label: 'Users', panel: Users, isForAdmins: true },
  { value: 'builds', label: 'Secrets and sources', panel: BuildsSettings, isForAdmins: true },
  { value: 'policy', label: 'Image policy', panel: PolicySettings, isForAdmins: true },
  { value: 'webhooks', label: 'Webhooks', panel: WebhookSettings, isForAdmins: true },
  { value: 'audit', label: 'Audit log', panel: AuditLog, isForAdmins: true },
];

export default function SettingsPage() {
  useTitle('Settings');
  const session = useSession();
  const isAdmin = isAtLeast(session, 'admin');
  const { field, set } = useAddress();
  const shown = tabs.filter((it) => isAdmin || !it.isForAdmins);
  const chosen = shown.find((it) => it.value === field('tab')) ?? shown[0];
  return (
    <Page title="Settings">
      <Tabs value={chosen?.value ?? ''} onChange={(tab) => set({ tab: tab ?? '' })} keepMounted={false}>
        <Tabs.List aria-label="Settings">
          {shown.map(({ value, label }) => (
            <Tabs.Tab key={value} value={value}>
              {label}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {shown.map(({ value, panel: Panel }) => (
          <Tabs.Panel key={value} value={value} pt="md">
            <Panel />
          </Tabs.Panel>
        ))}
      </Tabs>
    </Page>
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
