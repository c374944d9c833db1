import { createHash } from 'node:crypto';
import {
  type BuildError,
  type ImagePackage,
  type LayerFacts,
  type PackageType,
  type ProfileResult,
  packageKey,
  systemLabels,
  versionKey,
  versionsIn,
} from '@kiln/domain';
import { and, asc, eq, gt, ne, type SQL, sql } from 'drizzle-orm';
import { type Database, type Executor, inTransaction } from '../db/database.ts';
import { heldStatus } from '../tables/images.ts';
import { imagePackages, inspections, type KeptFacts, layerFacts } from '../tables/inspections.ts';

export type Inspection = typeof inspections.$inferSelect;

/** How facts of layers are read: a change of what is kept raises it. */
export const readerVersion = 4;

/** For how long a registrar that has fallen silent keeps what it reads, in seconds. */
export const inspectionLeaseSeconds = 180;

/** Before what nobody waits for. */
const ahead = (interval: string) => sql`now() - ${interval}::interval`;

export const addInspection = async (
  db: Executor,
  row: Pick<Inspection, 'id' | 'accountId' | 'host' | 'repository' | 'reference' | 'registryConnectionId' | 'arch'>,
): Promise<void> =>
  void (await db.insert(inspections).values({ ...row, catalogued: false, notBefore: ahead('1 hour') }));

/** What was asked to be read of an image in no catalogue. */
export async function findInspection(db: Executor, accountId: string, id: string): Promise<Inspection | undefined> {
  const { accountId: account, catalogued } = inspections;
  const [row] = await db
    .select()
    .from(inspections)
    .where(and(eq(inspections.id, id), eq(account, accountId), eq(catalogued, false)));
  return row;
}

/** An image as it is read. */
type Inspected = Pick<Inspection, 'accountId' | 'host' | 'repository'> & { digest: string; arch: string };

/** As PostgreSQL makes it of an entry of the catalogue. */
const inspectionIdOf = ({ accountId, host, repository, digest, arch }: Inspected): string =>
  `insp-${createHash('md5').update([accountId, host, repository, digest, arch].join(' ')).digest('hex')}`;

/** What is read of an image that is in the catalogue, or about to be. */
export async function findInspectionOf(db: Executor, image: Inspected): Promise<Inspection | undefined> {
  const [row] = await db
    .select()
    .from(inspections)
    .where(and(eq(inspections.id, inspectionIdOf(image)), eq(inspections.accountId, image.accountId)));
  return row;
}

/**
 * Has an image read before it is in the catalogue, because a policy wants to know what is in it.
 * @returns what is known of it now
 */
export async function wantInspection(
  db: Executor,
  image: Inspected & Pick<Inspection, 'registryConnectionId' | 'buildId'>,
): Promise<Inspection | undefined> {
  const { digest: reference, ...by } = image;
  const anew = { notBefore: ahead('1 day'), buildId: by.buildId };
  await db
    .insert(inspections)
    .values({ id: inspectionIdOf(image), ...by, ...anew, reference, catalogued: true })
    // Another build may have other credentials.
    .onConflictDoUpdate({
      target: inspections.id,
      set: { ...anew, state: 'waiting', attempt: 0, error: null, createdAt: sql`now()` },
      setWhere: sql`${inspections.state} = 'failed' AND ${inspections.buildId} IS DISTINCT FROM excluded.build_id`,
    });
  return findInspectionOf(db, image);
}

/** How often an image is tried to be read: one at which registrars die is given up, too. */
export const inspectionAttemptsMax = 5;

const gaveUp: BuildError = {
  code: 'LayerUnreadable',
  message: `${inspectionAttemptsMax} registrars ended while they read it`,
  class: 'user',
  phase: 'verify',
  attempt: inspectionAttemptsMax,
};

const lease = sql`now() + make_interval(secs => ${inspectionLeaseSeconds})`;

/** What was read, or cannot be, is now to be held against policies. */
const wantChecksOf = ({ id }: Inspection): SQL =>
  sql`UPDATE images m SET policy_due = true WHERE m.inspection_id = ${id} AND m.status = 'ACTIVE'`;
const wantChecks = (db: Executor, claim: Inspection) => db.execute(wantChecksOf(claim));

/**
 * Takes the next image whose turn it is: first those that a policy waits for, then those that are in no catalogue, for which
 * somebody asks, then the others.
 */
export async function claimInspection(db: Database): Promise<Inspection | undefined> {
  const [row] = await db
    .update(inspections)
    .set({ state: 'reading', attempt: sql`${inspections.attempt} + 1`, notBefore: lease })
    .where(
      sql`${inspections.id} = (SELECT id FROM inspections WHERE state IN ('waiting', 'reading') AND not_before <= now()
        AND NOT (${hasFailed}) ORDER BY not_before LIMIT 1 FOR UPDATE SKIP LOCKED)`,
    )
    .returning();
  if (!row) await giveUpFailed(db);
  return row;
}

/** Every registrar that read it has ended at that. */
const hasFailed = sql`state = 'reading' AND attempt >= ${inspectionAttemptsMax}`;

async function giveUpFailed(db: Database): Promise<void> {
  const isOver = sql`${hasFailed} AND not_before <= now()`;
  const some = await db.select({ id: inspections.id }).from(inspections).where(isOver).limit(1);
  if (some.length === 0) return;
  await inTransaction(db, async (tx) => {
    const givenUp = await tx.update(inspections).set({ state: 'failed', error: gaveUp }).where(isOver).returning();
    // A statement of its own: it sees the images that came to be while the one before waited for them.
    for (const it of givenUp) await wantChecks(tx, it);
  });
}

type Claim = Pick<Inspection, 'id' | 'attempt'>;
const isHeld = ({ id, attempt }: Claim) =>
  and(eq(inspections.id, id), eq(inspections.attempt, attempt), eq(inspections.state, 'reading'));

/** Keeps a claim; false when it is somebody else's now. */
export async function renewInspection(db: Executor, claim: Claim): Promise<boolean> {
  const rows = await db.update(inspections).set({ notBefore: lease }).where(isHeld(claim)).returning();
  return rows.length > 0;
}

/** How many images of an account wait that are in no catalogue. */
export async function countInspections(db: Executor, accountId: string): Promise<number> {
  const [row] = await db
    .select({ n: sql<number>`count(*)::int` })
    .from(inspections)
    .where(
      and(
        eq(inspections.accountId, accountId),
        eq(inspections.catalogued, false),
        sql`${inspections.state} IN ('waiting', 'reading')`,
      ),
    );
  return row?.n ?? 0;
}

/** Writes what was found; false when the claim is stale. */
export const settleInspection = (
  db: Database,
  claim: Inspection,
  found: { digest: string; platform: string; facts: KeptFacts; results: ProfileResult[]; packages: ImagePackage[] },
): Promise<boolean> =>
  inTransaction(db, async (tx) => {
    const { packages, ...row } = found;
    const labels = Object.fromEntries(systemLabels(found.facts).map((it) => [it.key, it.value]));
    const written = await tx
      .update(inspections)
      .set({ ...row, labels, state: 'done', error: null, readAt: sql`now()` })
      .where(isHeld(claim))
      .returning({ id: inspections.id });
    if (written.length === 0) return false;
    // What users say themselves stays; that it is denied is told.
    await tx.execute(sql`
      WITH told AS (${wantChecksOf(claim)}), labelled AS (
        INSERT INTO image_labels (image_id, key, value)
        SELECT m.id, label.key, label.value FROM images m, jsonb_each_text(${JSON.stringify(labels)}::jsonb) label
        WHERE m.inspection_id = ${claim.id} ON CONFLICT DO NOTHING
      )
      DELETE FROM image_packages WHERE inspection_id = ${claim.id}`);
    const versions = versionsIn(found.facts).map((it) => ({ ...it, type: 'fact' as const, layer: 0 }));
    const rows = [...packages, ...versions].map((it) => ({
      ...it,
      inspectionId: claim.id,
      accountId: claim.accountId,
      nameKey: packageKey(it.name),
      versionKey: versionKey(it.version),
    }));
    for (let n = 0; n < rows.length; n += 2000) await tx.insert(imagePackages).values(rows.slice(n, n + 2000));
    return true;
  });

/** Gives a claim up: for good, or until later. */
export const failInspection = (
  db: Database,
  claim: Inspection,
  error: BuildError,
  delayMs: number | undefined,
): Promise<void> =>
  inTransaction(db, async (tx) => {
    const { rowCount } = await tx
      .update(inspections)
      .set({
        state: delayMs === undefined ? 'failed' : 'waiting',
        error,
        ...(delayMs === undefined ? {} : { notBefore: sql`now() + make_interval(secs => ${delayMs / 1000})` }),
      })
      .where(isHeld(claim));
    if (rowCount === 1 && delayMs === undefined && claim.catalogued) await wantChecks(tx, claim);
  });

/** What is known of a layer of an account. */
export async function findLayerFacts(db: Executor, accountId: string, digest: string): Promise<LayerFacts | undefined> {
  const [row] = await db
    .update(layerFacts)
    .set({ usedAt: sql`now()` })
    .where(
      and(eq(layerFacts.accountId, accountId), eq(layerFacts.digest, digest), eq(layerFacts.reader, readerVersion)),
    )
    .returning({ facts: layerFacts.facts });
  return row?.facts;
}

export async function putLayerFacts(
  db: Executor,
  row: { accountId: string; digest: string; facts: LayerFacts },
): Promise<void> {
  const values = { ...row, reader: readerVersion };
  await db
    .insert(layerFacts)
    .values(values)
    .onConflictDoUpdate({ target: [layerFacts.accountId, layerFacts.digest], set: { ...values, usedAt: sql`now()` } });
}

/** More than are kept of an image. */
export const packagesMax = 50_000;

/** Packages of an inspected image by name, some at a time. @param after type and name behind which to go on */
export const listPackages = (
  db: Executor,
  accountId: string,
  inspectionId: string,
  { after, limit, type }: { after?: string | undefined; limit: number; type?: string | undefined },
) =>
  db
    .select({
      type: sql<PackageType>`${imagePackages.type}`,
      name: imagePackages.name,
      version: imagePackages.version,
      layer: imagePackages.layer,
    })
    .from(imagePackages)
    .where(
      and(
        eq(imagePackages.accountId, accountId),
        eq(imagePackages.inspectionId, inspectionId),
        ne(imagePackages.type, 'fact'),
        after === undefined
          ? undefined
          : gt(sql`${imagePackages.type} || ' ' || ${imagePackages.name} || ' ' || ${imagePackages.version}`, after),
        type === undefined ? undefined : sql`${imagePackages.type} = ${type}`,
      ),
    )
    .orderBy(asc(sql`${imagePackages.type} || ' ' || ${imagePackages.name} || ' ' || ${imagePackages.version}`))
    .limit(limit);

/** What nobody asks for any more: of images that left the catalogue, of some days ago, layers that no image had for long. */
export async function forgetInspections(db: Executor): Promise<void> {
  await db.execute(sql`DELETE FROM inspections WHERE NOT catalogued AND created_at < now() - interval '7 days'`);
  await db.execute(sql`
    DELETE FROM inspections i WHERE catalogued AND created_at < now() - interval '1 hour' AND NOT EXISTS (
      SELECT 1 FROM images m WHERE m.inspection_id = i.id AND m.${sql.raw(heldStatus)})`);
  await db.execute(sql`DELETE FROM layer_facts WHERE used_at < now() - interval '30 days'`);
}
