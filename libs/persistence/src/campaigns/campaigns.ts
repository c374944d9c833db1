import { randomBytes } from 'node:crypto';
import { type CampaignOutcome, type CampaignPace, type CampaignState, terminalStates } from '@kiln/domain';
import { and, asc, count, desc, eq, inArray, sql } from 'drizzle-orm';
import { isLiveSql } from '../builds/state-conditions.ts';
import { type Database, type Executor, inTransaction } from '../db/database.ts';
import { campaignImages, campaigns } from '../tables/campaigns.ts';
import { images } from '../tables/images.ts';
import type { RebuildableImage } from './campaign-selection.ts';

export type Campaign = typeof campaigns.$inferSelect;
export type CampaignImage = typeof campaignImages.$inferSelect;

/** Keeps a campaign that begins once somebody says so. */
export const insertCampaign = (
  db: Database,
  owner: Pick<Campaign, 'accountId' | 'workspaceId' | 'userId' | 'title'>,
  pace: CampaignPace,
  chosen: readonly RebuildableImage[],
): Promise<Campaign> =>
  inTransaction(db, async (tx) => {
    const [campaign] = await tx
      .insert(campaigns)
      .values({ id: `camp-${randomBytes(8).toString('hex')}`, ...owner, ...pace })
      .returning();
    if (!campaign) throw new Error('an insert has one row');
    const rows = chosen.map(({ imageId, sourceBuildId, reference, bases }, n) => ({
      campaignId: campaign.id,
      accountId: owner.accountId,
      place: n + 1,
      imageId,
      sourceBuildId,
      reference,
      bases,
    }));
    for (let n = 0; n < rows.length; n += 500) await tx.insert(campaignImages).values(rows.slice(n, n + 500));
    return campaign;
  });

/** The workspaces are those that the viewer sees. */
export async function findCampaign(
  db: Executor,
  accountId: string,
  workspaceIds: readonly string[],
  id: string,
): Promise<Campaign | undefined> {
  const [row] = await db
    .select()
    .from(campaigns)
    .where(
      and(eq(campaigns.id, id), eq(campaigns.accountId, accountId), inArray(campaigns.workspaceId, [...workspaceIds])),
    );
  return row;
}

/** The newest first. */
export const listCampaigns = (db: Executor, accountId: string, workspaceIds: readonly string[], limit: number) =>
  db
    .select()
    .from(campaigns)
    .where(and(eq(campaigns.accountId, accountId), inArray(campaigns.workspaceId, [...workspaceIds])))
    .orderBy(desc(campaigns.createdAt), desc(campaigns.id))
    .limit(limit);

/** The images of a campaign in the order in which they are built, with the ids that they have in PAI's calls. */
export const listCampaignImages = (db: Executor, { id }: Pick<Campaign, 'id'>) =>
  db
    .select({ item: campaignImages, paiId: images.paiId, name: images.name })
    .from(campaignImages)
    .innerJoin(images, eq(images.id, campaignImages.imageId))
    .where(eq(campaignImages.campaignId, id))
    .orderBy(asc(campaignImages.place));

const noOutcomes: Record<CampaignOutcome, number> = {
  waiting: 0,
  building: 0,
  succeeded: 0,
  failed: 0,
  skipped: 0,
};

/** How many images of campaigns have come to what. */
export async function countOutcomes(
  db: Executor,
  ids: readonly string[],
): Promise<Map<string, Record<CampaignOutcome, number>>> {
  const counts = new Map(ids.map((it) => [it, noOutcomes]));
  if (ids.length === 0) return counts;
  const rows = await db
    .select({ id: campaignImages.campaignId, outcome: campaignImages.outcome, n: count() })
    .from(campaignImages)
    .where(inArray(campaignImages.campaignId, [...ids]))
    .groupBy(campaignImages.campaignId, campaignImages.outcome);
  for (const { id, outcome, n } of rows) counts.set(id, { ...(counts.get(id) ?? noOutcomes), [outcome]: n });
  return counts;
}

const endedStates = sql.raw(terminalStates.map((it) => `'${it}'`).join(', '));

/** Writes down what has become of the builds of an account's campaigns. */
export const refreshOutcomes = (db: Executor, accountId: string) =>
  db.execute(sql`
    UPDATE campaign_images i SET outcome = CASE b.state WHEN 'succeeded' THEN 'succeeded' ELSE 'failed' END,
      message = coalesce(b.error->>'message', '')
    FROM builds b WHERE b.id = i.build_id AND i.account_id = ${accountId} AND i.outcome = 'building'
      AND b.state IN (${endedStates})`);

/**
 * Moves a campaign that is in one of the states `from`; false when it is in none of them. Who lets it go on (`by`) knows of
 * what has failed so far; what waits when it is cancelled is left out.
 */
export const moveCampaign = (
  db: Database,
  { id, accountId }: Pick<Campaign, 'id' | 'accountId'>,
  from: readonly CampaignState[],
  to: CampaignState,
  { reason = '', by }: { reason?: string; by?: string } = {},
): Promise<boolean> =>
  inTransaction(db, async (tx) => {
    await refreshOutcomes(tx, accountId);
    const isEnd = to === 'done' || to === 'cancelled';
    const failed = sql`(SELECT count(*) FROM campaign_images i WHERE i.campaign_id = ${id} AND i.outcome = 'failed')`;
    const { rowCount } = await tx
      .update(campaigns)
      .set({
        state: to,
        reason,
        ...(isEnd ? { endedAt: sql`now()` } : {}),
        ...(to === 'running' ? { dueAt: sql`now()`, accepted: failed, startedBy: by } : {}),
      })
      .where(and(eq(campaigns.id, id), inArray(campaigns.state, [...from])));
    if (rowCount === 1 && to === 'cancelled')
      await tx
        .update(campaignImages)
        .set({ outcome: 'skipped', message: 'the campaign was cancelled' })
        .where(and(eq(campaignImages.campaignId, id), eq(campaignImages.outcome, 'waiting')));
    return rowCount === 1;
  });

/** For how long an api that has fallen silent keeps a campaign, and how soon one with nothing to do is looked at again. */
const leaseSeconds = 60;
const pauseSeconds = 2;

/**
 * Takes the next campaign that somebody is to look at, with its images as their builds have left them.
 * @returns whether any campaign runs, too
 */
export async function claimCampaign(
  db: Database,
): Promise<{ claimed: { campaign: Campaign; items: CampaignImage[] } | undefined; anyRuns: boolean }> {
  const [campaign] = await db
    .update(campaigns)
    .set({ dueAt: sql`now() + make_interval(secs => ${leaseSeconds})` })
    .where(
      sql`${campaigns.id} = (SELECT id FROM campaigns WHERE state = 'running' AND due_at <= now() ORDER BY due_at LIMIT 1
        FOR UPDATE SKIP LOCKED)`,
    )
    .returning();
  if (!campaign) {
    const { rowCount } = await db.execute(sql`SELECT FROM campaigns WHERE state = 'running' LIMIT 1`);
    return { claimed: undefined, anyRuns: rowCount === 1 };
  }
  await refreshOutcomes(db, campaign.accountId);
  const items = await db
    .select()
    .from(campaignImages)
    .where(eq(campaignImages.campaignId, campaign.id))
    .orderBy(asc(campaignImages.place));
  return { claimed: { campaign, items }, anyRuns: true };
}

/** Lets others have a claimed campaign: soon, or `afterSeconds` later. @param reason why it waits */
export const releaseCampaign = async (
  db: Executor,
  { id, ratePerHour }: Campaign,
  {
    afterSeconds = pauseSeconds,
    submitted = false,
    reason,
  }: { afterSeconds?: number; submitted?: boolean; reason?: string } = {},
): Promise<void> =>
  void (await db
    .update(campaigns)
    .set({
      dueAt: sql`now() + make_interval(secs => ${afterSeconds})`,
      ...(submitted
        ? { submitAt: sql`greatest(now(), ${campaigns.submitAt}) + make_interval(secs => ${3600 / ratePerHour})` }
        : {}),
      ...(reason === undefined ? {} : { reason }),
    })
    .where(and(eq(campaigns.id, id), eq(campaigns.state, 'running'))));

/** Writes what has become of a campaign's image. */
export const settleCampaignImage = async (
  db: Executor,
  { campaignId, place }: Pick<CampaignImage, 'campaignId' | 'place'>,
  set: Partial<Pick<CampaignImage, 'outcome' | 'message' | 'tries'>>,
): Promise<void> =>
  void (await db
    .update(campaignImages)
    .set(set)
    .where(
      and(
        eq(campaignImages.campaignId, campaignId),
        eq(campaignImages.place, place),
        eq(campaignImages.outcome, 'waiting'),
      ),
    ));

/** Writes down the build that was submitted for an image; one that was left out meanwhile stays so. */
export const noteCampaignBuild = async (
  db: Executor,
  { campaignId, place }: Pick<CampaignImage, 'campaignId' | 'place'>,
  buildId: string,
): Promise<void> =>
  void (await db
    .update(campaignImages)
    .set({ buildId, outcome: sql`CASE outcome WHEN 'waiting' THEN 'building' ELSE outcome END` })
    .where(and(eq(campaignImages.campaignId, campaignId), eq(campaignImages.place, place))));

/**
 * Why an image is not to be built anew any more, whatever it was when the campaign was planned: it would take its tag back.
 * @param clientToken of its own build, which may have been submitted before a crash
 */
export async function whyOutdated(
  db: Executor,
  { accountId, imageId }: CampaignImage,
  clientToken: string,
): Promise<string | undefined> {
  const { rows } = await db.execute<{ gone: boolean; moved: boolean; later: boolean }>(sql`
    SELECT m.status NOT IN ('ACTIVE', 'ERROR') AS gone, m.drift->>'kind' IS NOT DISTINCT FROM 'moved' AS moved,
      EXISTS (SELECT FROM images o JOIN builds b ON b.id = o.build_id WHERE o.account_id = m.account_id
        AND o.host = m.host AND o.repository = m.repository AND o.tag = m.tag AND o.created_at > m.created_at
        AND b.client_token IS DISTINCT FROM ${clientToken})
      OR EXISTS (SELECT FROM builds b WHERE b.account_id = m.account_id AND b.host = m.host
        AND b.repository = m.repository AND b.tag = m.tag AND ${sql.raw(isLiveSql('b.'))}
        AND b.client_token IS DISTINCT FROM ${clientToken}) AS later
    FROM images m WHERE m.id = ${imageId} AND m.account_id = ${accountId}`);
  const [found] = rows;
  if (!found || found.gone) return 'the image is not there any more';
  if (found.moved) return 'its tag was moved by somebody else';
  return found.later ? 'a later build has its tag' : undefined;
}
