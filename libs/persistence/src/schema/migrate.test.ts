import { cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { testStack } from '@kiln/kit/testing';
import { sql } from 'drizzle-orm';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import { listImagesQuery } from '@kiln/contract';
import { listPaiImages } from '../lists/images.ts';
import { migrateDatabase, migrationsFolder } from './migrate.ts';
import { openRememberedLists } from '../lists/remembered.ts';
import { openEmptyDatabase } from '../testing/index.ts';

/** The migrations as they were when there were only so many. */
function firstMigrations(count: number): string {
  const dir = mkdtempSync(join(tmpdir(), 'kiln-migrations-'));
  cpSync(migrationsFolder, dir, { recursive: true });
  const file = join(dir, 'meta/_journal.json');
  const journal = JSON.parse(readFileSync(file, 'utf8')) as { entries: unknown[] };
  writeFileSync(file, JSON.stringify({ ...journal, entries: journal.entries.slice(0, count) }));
  return dir;
}

it('takes a database with images and builds in it along', async () => {
  const { db, close } = await openEmptyDatabase(testStack().postgresUrl);
  try {
    await migrate(db, { migrationsFolder: firstMigrations(2) });
    // By hand: what makes accounts now knows columns that there were not then.
    const [id, projectId, workspaceId, userId] = ['1001', 'project-1', '2001', '3001'];
    await db.execute(sql`INSERT INTO accounts (id, name) VALUES (${id}, 'old')`);
    await db.execute(sql`INSERT INTO users (id, account_id, name, role) VALUES (${userId}, ${id}, 'admin', 'admin')`);
    await db.execute(sql`INSERT INTO projects (id, account_id, name) VALUES (${projectId}, ${id}, 'default')`);
    await db.execute(sql`
      INSERT INTO workspaces (id, modelarts_id, account_id, project_id, name, is_default)
      VALUES (${workspaceId}, 'w', ${id}, ${projectId}, 'default', true)`);
    const whose = sql`${id}, ${projectId}, ${workspaceId}, ${userId}`;
    await db.execute(sql`
      INSERT INTO builds (id, job_id, account_id, project_id, workspace_id, user_id, request_hash, spec, display_name, image_name,
        registry_connection_id, host, repository, tag, overwrite, accessibility, state, phase)
      VALUES ('build-1', 'dlc-1', ${whose}, '', '{}', 'd', 'built', 'cri-1', 'h', 'ml/a', 'v1', false, 'PUBLIC', 'succeeded', 'tag')`);
    await db.execute(sql`
      INSERT INTO images (id, pai_id, account_id, project_id, workspace_id, user_id, name, host, repository, tag, visibility, arch,
        resource_categories, services, status, build_id)
      VALUES (gen_random_uuid(), 'image-1', ${whose}, 'built', 'h', 'ml/a', 'v1', 'PUBLIC', 'X86_64', '{}', '{}', 'ACTIVE', 'build-1'),
        (gen_random_uuid(), 'image-2', ${whose}, 'outside', 'h', 'ml/a', 'v2', 'PUBLIC', 'X86_64', '{}', '{}', 'CREATING', NULL)`);
    await migrateDatabase(db);
    await migrateDatabase(db);
    const { rows } = await db.execute(sql`
      SELECT pai_id, via, public_by_id, pending, registry_connection_id, (SELECT repository FROM image_groups g WHERE g.id = group_id)
      FROM images ORDER BY pai_id`);
    expect(rows).toEqual([
      { pai_id: 'image-1', via: 'build', public_by_id: false, pending: false, registry_connection_id: 'cri-1', repository: 'ml/a' }, // prettier-ignore
      { pai_id: 'image-2', via: 'modelarts', public_by_id: true, pending: true, registry_connection_id: null, repository: 'ml/a' }, // prettier-ignore
    ]);
    const scope = { viewer: { accountId: id, userId, role: 'admin' as const }, workspaceIds: [workspaceId] };
    const listed = await listPaiImages(
      db,
      openRememberedLists(),
      scope,
      listImagesQuery.parse({ WorkspaceId: workspaceId }),
    );
    expect(listed).toMatchObject({ total: 1, images: [{ paiId: 'image-1' }] });
  } finally {
    await close();
  }
});
