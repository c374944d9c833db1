import { type Logger, openPollLoop, type PollLoop } from '@kiln/kit';
import {
  actingFor,
  type Campaign,
  type CampaignImage,
  claimCampaign,
  type Database,
  findUser,
  loadBuild,
  moveCampaign,
  releaseCampaign,
  settleCampaignImage,
} from '@kiln/persistence';
import { asFault, campaignName, Fault, nextStep } from '@kiln/domain';
import { rerunBuild, type SubmitBuildDeps } from '@kiln/usecases';

export interface CampaignDeps {
  /** Sees all accounts. */
  systemDb: Database;
  /** Submits for the account that is acted for. */
  submitting: SubmitBuildDeps;
  log: Logger;
}

/** How often campaigns are looked at while one runs. */
const everyMs = 1000;
/** Until an account that may have no more builds for now is tried again. */
const fullSeconds = 30;
const fullCodes: readonly string[] = ['TooManyWaiting', 'TooManyBuilds', 'RegistryUnreachable', 'InternalError'];

/** Submits the build of one image, in the name of the user whose request it was. */
async function submit(
  { systemDb, submitting }: CampaignDeps,
  campaign: Campaign,
  item: CampaignImage,
): Promise<string> {
  const build = await loadBuild(systemDb, item.sourceBuildId);
  if (!build) throw new Fault('BuildNotFound', `there is no build ${item.sourceBuildId} any more`);
  const user = await findUser(systemDb, build.accountId, build.userId);
  if (!user || user.revokedAt) throw new Fault('UserNotFound', `user ${build.userId}, whose build it was, is gone`);
  const viewer = { accountId: user.accountId, userId: user.id, role: user.role };
  const change = { name: campaignName(build.request.image.name, campaign.id), overwrite: true };
  // Asked again after a crash, it is the same build.
  const how = { clientToken: `${campaign.id}-${item.place}`, lane: 'bulk' as const };
  const { buildId } = await actingFor(user.accountId, () => rerunBuild(submitting, viewer, build, change, how));
  return buildId;
}

async function goOn(deps: CampaignDeps, campaign: Campaign, items: CampaignImage[]): Promise<void> {
  const { systemDb, log } = deps;
  const { ratePerHour } = campaign;
  const release = (how: { afterSeconds?: number; submitted?: boolean } = {}) =>
    releaseCampaign(systemDb, campaign, { ratePerHour, ...how });
  const step = nextStep(items, campaign, campaign.accepted);
  if (step.kind === 'end') {
    await moveCampaign(systemDb, campaign.id, ['running'], step.state, step.reason);
    log.info({ campaign: campaign.id, state: step.state }, step.reason || 'campaign ended');
    return;
  }
  if (step.kind === 'wait') return release();
  const item = items.find((it) => it.place === step.place);
  if (!item) throw new Error(`campaign ${campaign.id} has no place ${step.place}`);
  if (step.kind === 'skip') {
    await settleCampaignImage(systemDb, item, { outcome: 'skipped', message: step.message });
    return release({ afterSeconds: 0 });
  }
  const pauseMs = campaign.submitAt.getTime() - Date.now();
  if (pauseMs > 0) return release({ afterSeconds: Math.min(pauseMs / 1000, 2) });
  try {
    const buildId = await submit(deps, campaign, item);
    await settleCampaignImage(systemDb, item, { outcome: 'building', buildId });
    await release({ afterSeconds: 0, submitted: true });
  } catch (error) {
    const { code, message, cause } = asFault(error);
    log.info({ campaign: campaign.id, place: item.place, code, err: cause }, message);
    if (fullCodes.includes(code)) return release({ afterSeconds: fullSeconds });
    await settleCampaignImage(systemDb, item, { outcome: 'failed', message });
    await release({ afterSeconds: 0 });
  }
}

/** Has the images of running campaigns built. Several processes may do so at once. */
export function runCampaigns(deps: CampaignDeps): PollLoop {
  let timer: NodeJS.Timeout | undefined;
  const loop = openPollLoop(
    'running campaigns',
    async () => {
      const { claimed, anyRuns } = await claimCampaign(deps.systemDb);
      if (claimed) await goOn(deps, claimed.campaign, claimed.items);
      clearTimeout(timer);
      if (anyRuns) timer = setTimeout(() => loop.wake(), everyMs);
      return claimed ? 1 : 0;
    },
    deps.log,
  );
  return {
    wake: () => loop.wake(),
    close() {
      clearTimeout(timer);
      return loop.close();
    },
  };
}
