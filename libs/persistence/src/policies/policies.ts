import { defaultPolicy, type ImagePolicy } from '@kiln/domain';
import { and, eq, sql } from 'drizzle-orm';
import type { Executor } from '../db/database.ts';
import { workspacePolicies } from '../tables/policies.ts';

/** What a workspace asks of its images. */
export async function findPolicy(db: Executor, accountId: string, workspaceId: string): Promise<ImagePolicy> {
  const { mode, profiles, waitSeconds, attest, cosignTags, errorOnDrift } = workspacePolicies;
  const [row] = await db
    .select({ mode, profiles, waitSeconds, attest, cosignTags, errorOnDrift })
    .from(workspacePolicies)
    .where(and(eq(workspacePolicies.accountId, accountId), eq(workspacePolicies.workspaceId, workspaceId)));
  return row ?? defaultPolicy;
}

export const putPolicy = async (
  db: Executor,
  accountId: string,
  workspaceId: string,
  policy: ImagePolicy,
): Promise<void> =>
  void (await db
    .insert(workspacePolicies)
    .values({ accountId, workspaceId, ...policy })
    .onConflictDoUpdate({
      target: workspacePolicies.workspaceId,
      set: { ...policy, updatedAt: sql`now()` },
      setWhere: eq(workspacePolicies.accountId, accountId),
    }));
