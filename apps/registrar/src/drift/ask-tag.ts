import type { Sealer } from '@kiln/auth';
import { backoffMs, type Logger, metrics } from '@kiln/kit';
import {
  type Database,
  type FoundTag,
  isBeingBuilt,
  listTagged,
  putOffTag,
  referenceOf,
  settleTag,
  spareRegistry,
  type TaggedImage,
  type TagSchedule,
  type WatchedTag,
} from '@kiln/persistence';
import { asFault, Fault } from '@kiln/domain';
import { indexTypes, membersOf, type RegistryClient, type RegistryClients } from '@kiln/registry';
import { accessForDigest, accessForImage } from '@kiln/usecases';

export interface AskDeps {
  db: Database;
  registries: RegistryClients;
  sealer: Sealer;
  log: Logger;
  schedule: TagSchedule;
}

/** Of the images of earlier builds of a tag, so many are asked for at a time, whichever. */
const earlierMax = 2;
/** Until a registry that gave no answer is asked again, at first. */
const pauseMs = 60_000;
/** One answer of this kind is none: a registry may be out of order. */
const notThere = 'the registry said that it is not there; it is asked once more';

/** Some of a list, whichever. */
const sample = <T>(list: readonly T[], n: number): T[] =>
  list
    .map((it) => ({ it, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .slice(0, n)
    .map(({ it }) => it);

/** Which of the entries that a tag does not name are there, as far as they are asked for. */
async function askForOthers(
  client: RegistryClient,
  repository: string,
  tagged: readonly TaggedImage[],
): Promise<Map<string, boolean>> {
  const earlier = tagged.filter((it) => !it.holdsTag);
  const asked = [...tagged.filter((it) => it.holdsTag), ...sample(earlier, earlierMax)].map((it) => it.digest);
  const others = new Map<string, boolean>();
  for (const it of new Set(asked)) others.set(it, (await client.headManifest(repository, it)) !== undefined);
  return others;
}

/** Asks a registry what a tag names, and which of the images that the catalogue has for it are there. */
async function find({ db, registries, sealer, schedule }: AskDeps, watched: WatchedTag): Promise<FoundTag> {
  const { repository, tag } = referenceOf(watched);
  const all = await listTagged(db, watched);
  // Whoever pushed an image may see it: a registry says to others that it is not there.
  const access = all[0] ? await accessForDigest(db, sealer, all[0]) : await accessForImage(db, sealer, watched);
  const client = registries.for(access);
  const digest = await client.headManifest(repository, tag);
  const differing = all.filter((it) => it.digest !== digest);
  if (differing.length > 0 && (await isBeingBuilt(db, watched)))
    throw new Fault('RegistryUnreachable', 'a build is about to set the tag');
  const others = await askForOthers(client, repository, differing);
  if (others.size > 0) await spareRegistry(db, watched.host, (others.size * 60_000) / schedule.perMinute);
  const isNews = differing.some((it) => others.get(it.digest) === false && it.drift?.kind !== 'gone');
  if (isNews && watched.failure !== notThere) throw new Fault('RegistryUnreachable', notThere);
  if (digest === undefined) return { digest, others, members: [] };
  if (digest === watched.digest) return { digest, others, members: watched.members };
  const manifest = await client.getManifest(repository, digest);
  if (!manifest) throw new Fault('RegistryUnreachable', `registry ${watched.host} lost ${watched.reference} meanwhile`);
  return { digest, others, members: indexTypes.includes(manifest.mediaType) ? membersOf(manifest) : [] };
}

/**
 * Finds out how a registry differs from the catalogue. What cannot be found out is no difference: it is asked again.
 * @returns whether the registry may be asked for more
 */
export async function askTag(deps: AskDeps, tag: WatchedTag): Promise<boolean> {
  const { db, log, schedule } = deps;
  try {
    await settleTag(db, tag, await find(deps, tag), schedule);
    metrics.tagsAsked.inc({ outcome: 'answered' });
    return true;
  } catch (error) {
    const { code, message, cause, details } = asFault(error);
    metrics.tagsAsked.inc({ outcome: 'failed' });
    log.info({ reference: tag.reference, code, err: cause }, message);
    const everyMs = schedule.everySeconds * 1000;
    const wantedMs = Math.min(details.retryAfterMs ?? 0, everyMs);
    const delayMs = Math.max(wantedMs, backoffMs(tag.failures + 1, Math.min(pauseMs, everyMs), everyMs));
    await putOffTag(db, tag, message, delayMs);
    if (details.retryAfterMs === undefined) return true;
    await spareRegistry(db, tag.host, wantedMs);
    return false;
  }
}
