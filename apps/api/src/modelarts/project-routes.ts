import type { Database } from '@kiln/persistence';
import { projectOperations } from '@kiln/contract';
import { findProjects } from '../usecases/projects.ts';
import { type Route, route } from '../http/dialect.ts';

/** IAM's list of projects, as clients ask for it that know only their region. */
export const projectRoutes = ({ db }: { db: Database }): Route[] => [
  route(projectOperations.ListProjects, async ({ viewer, query }) => {
    const { accountId, onlyProjectId } = viewer;
    const found = await findProjects(db, accountId, query.name);
    const shown = found
      .filter((it) => onlyProjectId === null || it.id === onlyProjectId)
      .filter(() => query.domain_id === undefined || query.domain_id === accountId);
    return {
      body: {
        projects: shown.map(({ id, name }) => ({
          id,
          name,
          domain_id: accountId,
          parent_id: accountId,
          is_domain: false,
          enabled: true,
          description: '',
          links: { self: `/v3/projects/${id}` },
        })),
        links: { self: '/v3/projects', next: null, previous: null },
      },
    };
  }),
];
