import { campaignOperations } from '@kiln/contract';
import { campaignImagesMax, campaignMoves, Fault, fieldFault } from '@kiln/domain';
import {
  type Campaign,
  countOutcomes,
  type Database,
  findCampaign,
  insertCampaign,
  listCampaignImages,
  listCampaigns,
  moveCampaign,
  refreshOutcomes,
  selectForCampaign,
} from '@kiln/persistence';
import { type Directory, requireWorkspace, showCounts } from '@kiln/usecases';
import type { Caller } from '../callers/caller.ts';
import { type Route, route } from '../http/dialect.ts';
import { optional } from '../http/optional.ts';
import { requireImage } from '../usecases/require-image.ts';

export interface CampaignRoutesDeps {
  db: Database;
  directory: Directory;
  campaigns: { wake(): void };
}

/** Many images built anew, some at a time. */
export function campaignRoutes({ db, directory, campaigns }: CampaignRoutesDeps): Route[] {
  async function requireCampaign(viewer: Caller, id: string): Promise<Campaign> {
    const found = await findCampaign(db, viewer.accountId, await directory.workspaceIds(viewer), id);
    if (!found) throw new Fault('CampaignNotFound', `there is no campaign ${id}`);
    return found;
  }
  async function summarize({ accountId }: Caller, all: readonly Campaign[]) {
    await refreshOutcomes(db, accountId);
    const counts = await countOutcomes(
      db,
      all.map((it) => it.id),
    );
    return all.map((it) => ({
      CampaignId: it.id,
      WorkspaceId: it.workspaceId,
      Title: it.title,
      State: it.state,
      ...optional('Reason', it.reason || undefined),
      RatePerHour: it.ratePerHour,
      CanaryPercent: it.canaryPercent,
      StopPercent: it.stopPercent,
      Counts: showCounts(counts.get(it.id) ?? {}),
      GmtCreateTime: it.createdAt.toISOString(),
      ...optional('GmtEndTime', it.endedAt?.toISOString()),
    }));
  }
  async function summarizeOne(viewer: Caller, campaign: Campaign) {
    const [summary] = await summarize(viewer, [campaign]);
    if (!summary) throw new Error('one campaign has one summary');
    return summary;
  }
  async function render(viewer: Caller, campaign: Campaign) {
    const summary = await summarizeOne(viewer, campaign);
    const images = await listCampaignImages(db, campaign);
    return {
      ...summary,
      Images: images.map(({ item, paiId, name }) => ({
        ImageId: paiId,
        Name: name,
        ImageUri: item.reference,
        Outcome: item.outcome,
        ...optional('ImageBuildId', item.buildId),
        ...optional('Message', item.message || undefined),
      })),
    };
  }
  return [
    route(campaignOperations.PlanCampaign, async ({ viewer, body, requestId }) => {
      const { Stale, MadeFrom, Repositories, ImageIds } = body;
      const workspace = await requireWorkspace(directory, viewer, { id: body.WorkspaceId }, 'WorkspaceId');
      if (Stale === undefined && MadeFrom === undefined && !Repositories && !ImageIds)
        throw fieldFault(
          'InvalidParameter',
          'Stale',
          'is required, or MadeFrom, Repositories or ImageIds: say which images',
        );
      const chosen = await selectForCampaign(db, viewer, {
        workspaceId: workspace.id,
        stale: Stale,
        repositories: Repositories,
        imageIds: ImageIds,
        madeFrom: MadeFrom === undefined ? undefined : await requireImage(db, viewer, MadeFrom),
      });
      if (chosen.length > campaignImagesMax)
        throw fieldFault(
          'InvalidParameter',
          'Repositories',
          `${chosen.length} images are meant, at most ${campaignImagesMax} fit`,
        );
      const owner = {
        accountId: viewer.accountId,
        workspaceId: workspace.id,
        userId: viewer.userId,
        title: body.Title,
      };
      const pace = {
        ratePerHour: body.RatePerHour,
        canaryPercent: body.CanaryPercent,
        stopPercent: body.StopPercent,
      };
      const campaign = await insertCampaign(db, owner, pace, chosen);
      return { status: 201, body: { RequestId: requestId, ...(await render(viewer, campaign)) } };
    }),
    route(campaignOperations.ListCampaigns, async ({ viewer, query, requestId }) => {
      const ids =
        query.WorkspaceId === undefined
          ? await directory.workspaceIds(viewer)
          : [(await requireWorkspace(directory, viewer, { id: query.WorkspaceId }, 'WorkspaceId')).id];
      const found = await listCampaigns(db, viewer.accountId, ids, query.Limit ?? 100);
      return { body: { RequestId: requestId, Campaigns: await summarize(viewer, found) } };
    }),
    route(campaignOperations.GetCampaign, async ({ viewer, params, requestId }) => {
      const campaign = await requireCampaign(viewer, params.CampaignId);
      return { body: { RequestId: requestId, ...(await render(viewer, campaign)) } };
    }),
    route(campaignOperations.MoveCampaign, async ({ viewer, params, body, requestId }) => {
      const campaign = await requireCampaign(viewer, params.CampaignId);
      const { id } = campaign;
      const by = viewer.userId;
      const moved = await moveCampaign(db, campaign, campaignMoves[body.State], body.State, { by });
      const now = await requireCampaign(viewer, id);
      if (!moved && now.state !== body.State)
        throw new Fault('CampaignNotMovable', `campaign ${id} is ${now.state}, and cannot become ${body.State}`);
      campaigns.wake();
      return { body: { RequestId: requestId, ...(await summarizeOne(viewer, now)) } };
    }),
  ];
}
