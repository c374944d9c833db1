import { z } from 'zod';
import { operation } from '../operation.ts';
import { text } from '../text.ts';

const shownProject = z
  .object({
    id: z.string(),
    name: z.string(),
    domain_id: z.string(),
    parent_id: z.string(),
    is_domain: z.boolean(),
    enabled: z.boolean(),
    description: z.string(),
    links: z.object({ self: z.string() }),
  })
  .meta({ id: 'Project' });

const id = '0123456789abcdef0123456789abcdef';

/** IAM's call by which clients find out their project, when they know no more than their region. */
export const projectOperations = {
  ListProjects: operation({
    name: 'ListProjects',
    api: 'IAM',
    method: 'GET',
    path: '/v3/projects',
    summary: "Lists the caller's projects; the name of a region stands for the only project of an account that has one",
    query: z.object({ name: text(256).optional(), domain_id: text(64).optional() }),
    reply: z.object({
      projects: z.array(shownProject),
      links: z.object({ self: z.string(), next: z.null(), previous: z.null() }),
    }),
    statuses: [200],
    free: true,
    errors: [],
    example: {
      query: { name: 'cn-north-4' },
      reply: {
        projects: [
          {
            id,
            name: 'cn-north-4',
            domain_id: '10000000000000',
            parent_id: '10000000000000',
            is_domain: false,
            enabled: true,
            description: '',
            links: { self: `/v3/projects/${id}` },
          },
        ],
        links: { self: '/v3/projects', next: null, previous: null },
      },
    },
  }),
};
