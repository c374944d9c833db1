import {
  describeFault,
  explainBroken,
  Fault,
  type ImageCheck,
  type ImagePolicy,
  judge,
  type ProfileResult,
  type Purpose,
} from '@kiln/domain';
import { and, eq, gt, inArray, isNotNull, sql } from 'drizzle-orm';
import { type Database, type Executor, inTransaction } from '../db/database.ts';
import type { Viewer } from '../accounts/identity.ts';
import { seenBy } from '../images/image-queries.ts';
import { type Image, images } from '../tables/images.ts';
import { wantAttestation } from '../attestations/attestations.ts';
import { findPolicy } from './policies.ts';

/** An image with what is known of it. */
interface Judged {
  image: Pick<Image, 'id' | 'paiId' | 'name' | 'accountId' | 'workspaceId' | 'host' | 'repository' | 'tag' | 'digest'>;
  purpose: Purpose;
  /** undefined where it could not be read, or has not been. */
  results: ProfileResult[] | undefined;
  readAt: Date | undefined;
}

const read = async (db: Executor, rows: Image[]): Promise<Judged[]> => {
  if (rows.length === 0) return [];
  const ids = rows.map((it) => it.id);
  const { rows: found } = await db.execute<{
    id: string;
    labels: Record<string, string> | null;
    results: ProfileResult[] | null;
    at: string | null;
  }>(sql`
    SELECT m.id, i.results, i.read_at AS at,
      (SELECT jsonb_object_agg(key, value) FROM image_labels WHERE image_id = m.id) AS labels
    FROM images m LEFT JOIN inspections i ON i.id = m.inspection_id AND i.state = 'done'
    WHERE m.id = ANY(${sql.param(ids)})`);
  const known = new Map(found.map((it) => [it.id, it]));
  return rows.map((image) => {
    const { labels, results, at } = known.get(image.id) ?? {};
    return {
      image,
      purpose: { ...image, labels: labels ?? {} },
      results: results ?? undefined,
      readAt: at ? new Date(at) : undefined,
    };
  });
};

export const refusedBy = ({ broken }: Pick<ImageCheck, 'broken'>): Fault =>
  new Fault(
    'PolicyRefused',
    `the policy of its workspace refuses the image, which ${explainBroken(broken.filter((it) => it.severity === 'error'))}`,
  );

/** What an image's check changes of it. */
function outcomeOf(check: ImageCheck, attempt: number) {
  if (check.mode === 'refuse' && check.verdict === 'fail') {
    const error = describeFault(refusedBy(check), 'verify', attempt);
    return { status: 'ERROR' as const, statusMessage: error.message, error };
  }
  const warns = check.mode !== 'note' && check.broken.length > 0;
  return warns ? { statusMessage: explainBroken(check.broken) } : {};
}

/** Only of images that it has built does Kiln know how they came about. */
const wantFor = async (
  tx: Executor,
  { via, digest, buildId, ...image }: Image,
  readAt: Date | undefined,
): Promise<void> => {
  if (via !== 'build' || digest === null || buildId === null) return;
  const { accountId, workspaceId, host, repository, arch, registryConnectionId } = image;
  await wantAttestation(
    tx,
    { accountId, workspaceId, host, repository, digest, arch, registryConnectionId, buildId },
    readAt,
  );
};

/** Images that one `checkDueImages` looks at, at most. */
export const checksAtOnce = 50;

/**
 * Holds images whose layers have been read against the policies of their workspaces, some at a time: triggers tell of
 * what becomes of them.
 * @returns how many
 */
export const checkDueImages = (db: Database): Promise<number> =>
  inTransaction(db, async (tx) => {
    const due = await tx
      .select()
      .from(images)
      .where(eq(images.policyDue, true))
      .limit(checksAtOnce)
      .for('update', { skipLocked: true });
    for (const { image, purpose, results, readAt } of await read(tx, due)) {
      const row = due.find((it) => it.id === image.id);
      const policy = await findPolicy(tx, image.accountId, image.workspaceId);
      const found = row?.status === 'ACTIVE' && image.digest !== null ? judge(policy, purpose, results) : undefined;
      const check = found && { ...found, digest: image.digest ?? '', at: new Date().toISOString() };
      const outcome = check ? outcomeOf(check, row?.attempt ?? 0) : {};
      await tx
        .update(images)
        .set({ policyDue: false, checked: check ?? null, ...outcome })
        .where(eq(images.id, image.id));
      // Nobody is to stand for what is refused.
      const isUsable = row?.status === 'ACTIVE' && !('status' in outcome);
      if (isUsable && policy.attest !== 'off') await wantFor(tx, row, readAt);
    }
    return due.length;
  });

const pageSize = 200;

/**
 * What a policy would say of those images of a workspace that a viewer sees, as far as they have been read: pages of
 * them, by their id.
 * @param after id of the last image of the page before
 */
export async function tryPolicy(
  db: Executor,
  viewer: Viewer,
  workspaceId: string,
  policy: ImagePolicy,
  after: string | undefined,
): Promise<{ judged: (Judged & { check: ReturnType<typeof judge> })[]; last: string | undefined }> {
  const rows = await db
    .select()
    .from(images)
    .where(
      and(
        seenBy(viewer),
        eq(images.workspaceId, workspaceId),
        inArray(images.status, ['ACTIVE', 'ERROR']),
        isNotNull(images.digest),
        after === undefined ? undefined : gt(images.id, after),
      ),
    )
    .orderBy(images.id)
    .limit(pageSize);
  const judged = (await read(db, rows)).map((it) => ({ ...it, check: judge(policy, it.purpose, it.results) }));
  return { judged, last: rows.length === pageSize ? rows.at(-1)?.id : undefined };
}
