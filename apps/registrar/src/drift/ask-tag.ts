import { type Sealer } from '@kiln/auth';
import { backoffMs, type Logger, metrics } from '@kiln/kit';
import {
  type Database,
  type FoundTag,
  inTransaction,
  listTagged,
  putOffTag,
  settleTag,
  type TagSchedule,
  type WatchedTag,
} from '@kiln/persistence';
import { asFault, Fault, parseImageName } from '@kiln/domain';
import { indexTypes, membersOf, type RegistryClient, type RegistryClients } from '@kiln/registry';
import { accessForImage } from '@kiln/usecases';

export interface AskDeps {
  db: Database;
  registries: RegistryClients;
  sealer: Sealer;
  log: Logger;
  schedule: TagSchedule;
}

/** Entries of older builds of the tag; more of them are not looked for. */
const digestsMax = 20;
const pauseMs = 60_000;

/** Asks a registry what a tag names, and which of the images that the catalogue has for it are there. */
async function find(db: Database, client: RegistryClient, tag: WatchedTag): Promise<FoundTag> {
  const { repository, reference } = parseImageName(tag.reference);
  const digest = await client.headManifest(repository, reference);
  const there = new Set<string>();
  const others = new Set((await listTagged(db, tag)).map((it) => it.digest).filter((it) => it !== digest));
  for (const it of others) {
    // What was not asked for counts as there.
    if (there.size >= digestsMax || (await client.headManifest(repository, it)) !== undefined) there.add(it);
  }
  if (digest === tag.digest || digest === undefined)
    return { digest, there, members: digest === undefined ? [] : tag.members };
  const manifest = await client.getManifest(repository, digest);
  if (!manifest) throw new Fault('RegistryUnreachable', `registry ${tag.host} lost ${tag.reference} meanwhile`);
  return { digest, there, members: indexTypes.includes(manifest.mediaType) ? membersOf(manifest) : [] };
}

/** Finds out how a registry differs from the catalogue. What cannot be found out is no difference: it is asked again. */
export async function askTag({ db, registries, sealer, log, schedule }: AskDeps, tag: WatchedTag): Promise<void> {
  try {
    const client = registries.for(await accessForImage(db, sealer, tag));
    await settleTag(db, tag, await find(db, client, tag), schedule);
    metrics.tagsAsked.inc({ outcome: 'answered' });
  } catch (error) {
    const { code, message, cause, details } = asFault(error);
    metrics.tagsAsked.inc({ outcome: 'failed' });
    log.info({ reference: tag.reference, code, err: cause }, message);
    const everyMs = schedule.everySeconds * 1000;
    const delayMs = Math.max(details.retryAfterMs ?? 0, backoffMs(tag.failures + 1, pauseMs, everyMs));
    const wholeHost = details.retryAfterMs !== undefined;
    await inTransaction(db, (tx) => putOffTag(tx, tag, message, { delayMs, wholeHost }));
  }
}
