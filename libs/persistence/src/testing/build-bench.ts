import { exampleRequest } from './example-request.ts';
import { testStack } from '@kiln/kit/testing';
import { sql } from 'drizzle-orm';
import { moveBuild } from '../builds/move-build.ts';
import type { Build } from '../tables/builds.ts';
import { claimBuild } from '../builds/build-work.ts';
import { claimRegistration } from '../builds/registration.ts';
import { createAccount } from '../accounts/provision.ts';
import type { Database } from '../db/database.ts';
import { loadBuild } from '../builds/build-queries.ts';
import { type NewBuild, submitBuild, type SubmitOutcome } from '../builds/submit-build.ts';
import { openTestDatabase } from './test-database.ts';

export interface BuildBench {
  db: Database;
  url: string;
  account: Awaited<ReturnType<typeof createAccount>>;
  newBuild(
    change?: { tag?: string; name?: string; token?: string; hash?: string; dockerfile?: string } & Partial<
      Pick<NewBuild, 'lane' | 'accountId' | 'pool'>
    >,
  ): Promise<{ id: string; outcome: SubmitOutcome }>;
  /** A build that `w1` holds. */
  claimed(change?: object): Promise<Build>;
  /** A pushed build that registrar `r1` holds. */
  registering(change?: object): Promise<Build>;
  expireLease(id: string): Promise<unknown>;
  stateOf(id: string): Promise<Build['state'] | undefined>;
  close(): Promise<void>;
}

/** A database of its own with an account, and builds in whatever state a test wants. */
export async function openBuildBench(): Promise<BuildBench> {
  const { db, url, close } = await openTestDatabase(testStack().postgresUrl);
  const account = await createAccount(db, 'test');
  let count = 0;
  const bench: BuildBench = {
    db,
    url: url.reveal(),
    account,
    close,
    async newBuild(change = {}) {
      count += 1;
      const id = `build-${count}`;
      const name = change.name ?? `name-${count}`;
      const build = {
        id,
        jobId: `dlc-${count}`,
        accountId: change.accountId ?? account.id,
        projectId: account.projectId,
        workspaceId: account.workspaceId,
        userId: account.userId,
        clientToken: change.token ?? null,
        requestHash: change.hash ?? 'h',
        request: {
          ...exampleRequest,
          dockerfile: change.dockerfile ?? exampleRequest.dockerfile,
          image: { name, labels: [] },
          workspaceId: account.workspaceId,
        },
        registryAuthsSealed: null,
        displayName: name,
        registryConnectionId: 'cri',
        host: 'r',
        repository: 'a/b',
        tag: change.tag ?? `t${count}`,
        lane: change.lane ?? 'normal',
        pool: change.pool ?? '',
        notes: [],
      } satisfies NewBuild;
      return { id, outcome: await submitBuild(db, build, 168) };
    },
    async claimed(change = {}) {
      const { id } = await bench.newBuild(change);
      const build = await claimBuild(db, id, 0, 'w1');
      if (!build) throw new Error('not claimed');
      return build;
    },
    async registering(change = {}) {
      const build = await bench.claimed(change);
      for (const [from, to] of [['assigned', 'running'], ['running', 'publishing'], ['publishing', 'registering']] as const) {
        await moveBuild(db, { id: build.id, from: [from], to, message: to, fence: build.fence });
      } // prettier-ignore
      const held = await claimRegistration(db, build.id, 1, 'r1');
      if (!held) throw new Error('not claimed for registration');
      return held;
    },
    expireLease: (id) => db.execute(sql`UPDATE builds SET lease_until = now() - interval '1 s' WHERE id = ${id}`),
    stateOf: async (id) => (await loadBuild(db, id))?.state,
  };
  return bench;
}
