import { z } from 'zod';
import { operation } from '../operation.ts';
import { dockerfileText } from '../pai/image-build.ts';

const requestId = { RequestId: z.string() };
const RequestId = '7B9EFB2C-0E2A-4F4F-8A3E-1B1C6E0F5A11';

/** What can be asked of a Dockerfile before a build. */
export const dockerfileOperations = {
  LintDockerfile: operation({
    name: 'LintDockerfile',
    api: 'Kiln',
    method: 'POST',
    path: '/api/v1/dockerfile/lint',
    summary:
      "Says what a submission would say of a Dockerfile: the error that refuses it, and warnings, also of BuildKit's linter",
    query: z.object({}),
    body: z.object(
      {
        Dockerfile: dockerfileText,
        HasContext: z.boolean('must be true or false').optional().describe('whether there are files to copy'),
      },
      'must be a JSON object',
    ),
    reply: z.object({
      ...requestId,
      Findings: z.array(
        z.object({
          Severity: z.enum(['error', 'warning']),
          Line: z.int(),
          Rule: z.string().optional().describe("BuildKit's name of the rule"),
          Message: z.string(),
        }),
      ),
      Steps: z.int(),
      Images: z.array(z.string()).describe('what it starts or copies from'),
    }),
    statuses: [200],
    errors: [],
    free: true,
    example: {
      body: { Dockerfile: 'FROM registry.example.com/ml/base:v1\nRUN pip install torch\n' },
      reply: { RequestId, Findings: [], Steps: 2, Images: ['registry.example.com/ml/base:v1'] },
    },
  }),
};
