import { type Database, listProjects } from '@kiln/persistence';

export interface NamedProject {
  id: string;
  name: string;
}

/** How Huawei calls regions, and with them the project that each account has there: `cn-north-4`. */
const region = /^[a-z]{2,3}(?:-[a-z]+){1,3}-\d{1,3}$/;

/**
 * An account's projects with a name, or all. Clients that know no project ask by the name of their region: where the
 * account has one project, that is it, and it is called as it was asked for.
 */
export async function findProjects(db: Database, accountId: string, name: string | undefined): Promise<NamedProject[]> {
  const all = (await listProjects(db, accountId)).map((it) => ({ id: it.id, name: it.name }));
  if (name === undefined) return all;
  const named = all.filter((it) => it.name === name);
  if (named.length > 0) return named;
  return region.test(name) && all.length === 1 ? all.map(({ id }) => ({ id, name })) : [];
}
