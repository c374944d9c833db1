import { Alert, Card, Group, Stack } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { ApiError, answer, api } from '../api/api-client.ts';
import type { Campaign } from '../api/replies.ts';
import { Answered } from '../components/answered.tsx';
import { counted, duration } from '../components/format.ts';
import { Page, useTitle } from '../components/page.tsx';
import { Empty } from '../components/page-state.tsx';
import { Tone } from '../components/state-badge.tsx';
import { When } from '../components/when.tsx';
import { Fact } from '../images/fact.tsx';
import { useSession } from '../session/session.ts';
import { CampaignActions } from './campaign-actions.tsx';
import { CampaignImages } from './campaign-images.tsx';
import { canariesOf, hasEnded, imagesOf, startOf, stateLooks, titleOf } from './campaign-looks.ts';
import { CampaignProgress } from './campaign-progress.tsx';

export default function CampaignPage({ id }: { id: string }) {
  const campaign = useQuery({
    queryKey: ['campaign', id],
    queryFn: ({ signal }) =>
      answer(api.GET('/api/v1/campaigns/{CampaignId}', { params: { path: { CampaignId: id } }, signal })),
    // What becomes of campaigns is no event; builds that run outlive one that was cancelled.
    refetchInterval: ({ state: { data, error } }) =>
      (data && hasEnded(data) && data.Counts.Building === 0) || (error instanceof ApiError && error.status < 500)
        ? false
        : 3000,
  });
  return (
    <Answered query={campaign} rows={6} height={56}>
      {(data) => <Shown campaign={data} />}
    </Answered>
  );
}

function Shown({ campaign }: { campaign: Campaign }) {
  useTitle(titleOf(campaign));
  const { tone, label } = stateLooks[campaign.State];
  return (
    <Page
      title={
        <Group gap="sm" wrap="wrap">
          {titleOf(campaign)}
          <Tone tone={tone}>{label}</Tone>
        </Group>
      }
      actions={<CampaignActions campaign={campaign} />}
    >
      <Note campaign={campaign} />
      <Card withBorder>
        <Stack gap="md">
          <CampaignProgress campaign={campaign} />
          <Facts campaign={campaign} />
        </Stack>
      </Card>
      {campaign.Images.length === 0 ? (
        <Empty title="No image fits">
          Nothing would be built. Only images that a build has made can be built anew, and of each tag only the last.
        </Empty>
      ) : (
        <CampaignImages campaign={campaign} />
      )}
    </Page>
  );
}

/** Why it is where it is, and what would come next. */
function Note({ campaign }: { campaign: Campaign }) {
  const { State, Reason } = campaign;
  const whole = imagesOf(campaign);
  if (State === 'planned' && whole > 0)
    return (
      <Alert color="blue" variant="light" title="Nothing is built yet">
        {counted(whole, 'image')} would be built, bases before what stands on them. Each gets the tag that its image has
        now.
        {whole > 1 && ` ${startOf(campaign)}`}
      </Alert>
    );
  if (State === 'stopped')
    return (
      <Alert color="red" variant="light" title="It stopped by itself">
        {Reason}. Resume goes on with the others, and no longer counts what has failed so far.
      </Alert>
    );
  if (Reason === undefined) return null;
  return (
    <Alert color="yellow" variant="light" title="It waits">
      {Reason}
    </Alert>
  );
}

function Facts({ campaign }: { campaign: Campaign }) {
  const { WorkspaceId, RatePerHour, CanaryPercent, StopPercent, Counts, GmtCreateTime, GmtEndTime } = campaign;
  const { Workspaces } = useSession();
  const leftMs = (Counts.Waiting / RatePerHour) * 3_600_000;
  return (
    <Group gap="xl" align="start">
      <Fact name="Workspace">{Workspaces.find((it) => it.WorkspaceId === WorkspaceId)?.Name ?? WorkspaceId}</Fact>
      <Fact name="Rate">{RatePerHour.toLocaleString('en')} an hour, in the bulk lane</Fact>
      {!hasEnded(campaign) && Counts.Waiting > 0 && <Fact name="The rest takes, at least">{duration(leftMs)}</Fact>}
      <Fact name="First">
        {CanaryPercent} %, {counted(canariesOf(campaign), 'image')}
      </Fact>
      <Fact name="Stops when">more than {StopPercent} % fail</Fact>
      <Fact name="Made">
        <When at={GmtCreateTime} />
      </Fact>
      {GmtEndTime !== undefined && (
        <Fact name="Ended">
          <When at={GmtEndTime} />
        </Fact>
      )}
    </Group>
  );
}
