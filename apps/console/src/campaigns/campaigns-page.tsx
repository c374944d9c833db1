import { Anchor, Button, Card, Text } from '@mantine/core';
import { IconPlus } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import { answer, api } from '../api/api-client.ts';
import { useAddress } from '../components/address.ts';
import { Answered } from '../components/answered.tsx';
import { DataTable } from '../components/data-table.tsx';
import { Page, useTitle } from '../components/page.tsx';
import { Empty } from '../components/page-state.tsx';
import { Tone } from '../components/state-badge.tsx';
import { When } from '../components/when.tsx';
import { WorkspaceSelect } from '../components/workspace-select.tsx';
import { stateLooks, titleOf } from './campaign-looks.ts';
import { CampaignProgress } from './campaign-progress.tsx';
import { newCampaignPath } from './draft.ts';

/** Many images built anew, some at a time. */
export default function CampaignsPage() {
  useTitle('Campaigns');
  const { field, set } = useAddress();
  const workspace = field('workspace');
  const query = { WorkspaceId: workspace };
  const campaigns = useQuery({
    queryKey: ['campaigns', query],
    queryFn: ({ signal }) => answer(api.GET('/api/v1/campaigns', { params: { query }, signal })),
    // What becomes of campaigns is no event.
    refetchInterval: 5000,
  });
  const newCampaign = (
    <Button component={Link} href={newCampaignPath({ workspace })} leftSection={<IconPlus size={16} aria-hidden />}>
      New campaign
    </Button>
  );
  return (
    <Page title="Campaigns" actions={newCampaign}>
      <WorkspaceSelect value={workspace} onChange={(id) => set({ workspace: id })} hasAll />
      <Answered query={campaigns} rows={5}>
        {({ Campaigns: rows }) =>
          rows.length === 0 ? (
            <Empty title="No campaign yet" action={newCampaign}>
              A campaign builds many images anew from their own requests, such as all that stand on an old base, some at
              a time. You see the list of them before the first one is built.
            </Empty>
          ) : (
            <Card withBorder>
              <DataTable
                label="Campaigns"
                minWidth={760}
                rows={rows}
                keyOf={(it) => it.CampaignId}
                columns={[
                  {
                    title: 'Campaign',
                    cell: (it) => (
                      <Anchor component={Link} href={`/builds/campaigns/${it.CampaignId}`} size="sm" fw={600}>
                        {titleOf(it)}
                      </Anchor>
                    ),
                  },
                  {
                    title: 'State',
                    cell: ({ State, Reason }) => (
                      <>
                        <Tone tone={stateLooks[State].tone}>{stateLooks[State].label}</Tone>
                        {Reason !== undefined && <Text size="xs">{Reason}</Text>}
                      </>
                    ),
                  },
                  { title: 'Images', cell: (it) => <CampaignProgress campaign={it} /> },
                  { title: 'Rate', cell: (it) => `${it.RatePerHour.toLocaleString('en')} an hour` },
                  { title: 'Made', cell: (it) => <When at={it.GmtCreateTime} /> },
                ]}
              />
            </Card>
          )
        }
      </Answered>
    </Page>
  );
}
