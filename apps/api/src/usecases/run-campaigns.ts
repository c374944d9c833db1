import { type Logger, openPollLoop, type PollLoop } from '@kiln/kit';
import {
  actingFor,
  type Campaign,
  type CampaignImage,
  claimCampaign,
  type Database,
  findGoodUser,
  loadBuild,
  moveCampaign,
  noteCampaignBuild,
  releaseCampaign,
  settleCampaignImage,
  whyOutdated,
} from '@kiln/persistence';
import { asFault, campaignName, isAtLeast, nextStep } from '@kiln/domain';
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
/** Until a submission that may go better later is tried again. */
const laterSeconds = 30;
const laterCodes: readonly string[] = [
  'TooManyWaiting',
  'TooManyBuilds',
  'TooManyImages',
  'RegistryUnreachable',
  'SourceUnreachable',
  'ServiceUnavailable',
  'InternalError',
];
/** How often what is Kiln's own fault is tried. */
const triesMax = 5;

/** An image that is not to be built, and why. */
class LeftOut extends Error {}

/** Submits the build of one image, in the name of the user whose request it was. @throws LeftOut */
async function submit(
  { systemDb, submitting }: CampaignDeps,
  campaign: Campaign,
  item: CampaignImage,
): Promise<string> {
  const { accountId } = campaign;
  // Asked again after a crash, it is the same build.
  const clientToken = `${campaign.id}-${item.place}`;
  const outdated = await whyOutdated(systemDb, item, clientToken);
  if (outdated !== undefined) throw new LeftOut(outdated);
  const build = await loadBuild(systemDb, item.sourceBuildId);
  if (!build) throw new LeftOut(`there is no build ${item.sourceBuildId} any more`);
  const user = await findGoodUser(systemDb, accountId, build.userId);
  if (!user || !isAtLeast(user.role, 'developer')) throw new LeftOut(`user ${build.userId} may not build any more`);
  // As with a rerun: with credentials of another user's request, only that user and admins have a tag overwritten.
  if (build.registryAuthsSealed !== null && !build.request.target.overwrite) {
    const starter = await findGoodUser(systemDb, accountId, campaign.startedBy ?? '');
    if (!starter || (starter.userId !== build.userId && !isAtLeast(starter.role, 'admin')))
      throw new LeftOut('it was built with credentials of its own request, and its tag is not to be overwritten');
  }
  const name = campaignName(build.request.image.name, campaign.id, item.place);
  const { buildId } = await actingFor(accountId, () =>
    rerunBuild(submitting, user, build, { name, overwrite: true }, { clientToken, lane: 'bulk' }),
  );
  return buildId;
}

async function submitNext(deps: CampaignDeps, campaign: Campaign, item: CampaignImage): Promise<void> {
  const { systemDb, log } = deps;
  const next = { afterSeconds: 0, reason: '' };
  try {
    await noteCampaignBuild(systemDb, item, await submit(deps, campaign, item));
    await releaseCampaign(systemDb, campaign, { ...next, submitted: true });
  } catch (error) {
    if (error instanceof LeftOut) {
      await settleCampaignImage(systemDb, item, { outcome: 'skipped', message: error.message });
      return releaseCampaign(systemDb, campaign, next);
    }
    const { code, message, cause } = asFault(error);
    log.info({ campaign: campaign.id, place: item.place, code, err: cause }, message);
    const tries = item.tries + (code === 'InternalError' ? 1 : 0);
    if (laterCodes.includes(code) && tries < triesMax) {
      await settleCampaignImage(systemDb, item, { tries });
      return releaseCampaign(systemDb, campaign, { afterSeconds: laterSeconds, reason: `waits: ${message}` });
    }
    await settleCampaignImage(systemDb, item, { outcome: 'failed', message });
    await releaseCampaign(systemDb, campaign, next);
  }
}

async function goOn(deps: CampaignDeps, campaign: Campaign, items: CampaignImage[]): Promise<void> {
  const { systemDb, log } = deps;
  const step = nextStep(items, campaign, campaign.accepted);
  if (step.kind === 'end') {
    await moveCampaign(systemDb, campaign, ['running'], step.state, { reason: step.reason });
    log.info({ campaign: campaign.id, state: step.state }, step.reason || 'campaign ended');
    return;
  }
  if (step.kind === 'wait') return releaseCampaign(systemDb, campaign);
  const item = items.find((it) => it.place === step.place);
  if (!item) throw new Error(`campaign ${campaign.id} has no place ${step.place}`);
  if (step.kind === 'skip') {
    await settleCampaignImage(systemDb, item, { outcome: 'skipped', message: step.message });
    return releaseCampaign(systemDb, campaign, { afterSeconds: 0 });
  }
  const pauseMs = campaign.submitAt.getTime() - Date.now();
  if (pauseMs > 0) return releaseCampaign(systemDb, campaign, { afterSeconds: Math.min(pauseMs / 1000, 2) });
  await submitNext(deps, campaign, item);
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
