import { attestModes, defaultPolicy, driftErrors, policyModes, waitSecondsMax } from '@kiln/domain';
import { z } from 'zod';
import { operation } from '../operation.ts';
import { oneOf, text } from '../text.ts';
import { brokenRule } from './events.ts';

const requestId = { RequestId: z.string() };
const RequestId = '7B9EFB2C-0E2A-4F4F-8A3E-1B1C6E0F5A11';
const WorkspaceId = '123456';
const path = '/api/v1/workspaces/{WorkspaceId}/policy';

const policy = {
  Mode: oneOf(policyModes).describe('what follows when an image fails a profile'),
  Profiles: z
    .array(text(63, 1), 'must be a list of names of profiles')
    .max(20, 'has more than 20 entries')
    .default([])
    .describe('that every image is held against; empty for those that an image is meant for'),
  WaitSeconds: z
    .int('must be a whole number')
    .min(0, 'must be at least 0')
    .max(waitSecondsMax, `must be at most ${waitSecondsMax}`)
    .default(defaultPolicy.waitSeconds)
    .describe('for how long an image waits to be read before it becomes ACTIVE, where Mode is refuse'),
  Attest: oneOf(attestModes)
    .default(defaultPolicy.attest)
    .describe('when provenance, SBOMs and a signature are attached to images of builds'),
  CosignTags: z
    .boolean('must be true or false')
    .default(defaultPolicy.cosignTags)
    .describe('whether they are written in the form of cosign before version 3, too'),
  ErrorOnDrift: oneOf(driftErrors)
    .default(defaultPolicy.errorOnDrift)
    .describe('which images become ERROR when their registry differs: none, those that are gone, or any'),
};
const shown = z.object({
  ...requestId,
  WorkspaceId: z.string(),
  Mode: z.enum(policyModes),
  Profiles: z.array(z.string()),
  WaitSeconds: z.int(),
  Attest: z.enum(attestModes),
  CosignTags: z.boolean(),
  ErrorOnDrift: z.enum(driftErrors),
});
const example = {
  Mode: 'refuse',
  Profiles: [],
  WaitSeconds: 300,
  Attest: 'after',
  CosignTags: false,
  ErrorOnDrift: 'gone',
} as const;
const reply = { RequestId, WorkspaceId, ...example };
const body = z.object(policy, 'must be a JSON object');

/** What workspaces ask of their images. */
export const policyOperations = {
  GetPolicy: operation({
    name: 'GetPolicy',
    api: 'Kiln',
    method: 'GET',
    path,
    summary: 'Shows what follows when an image of a workspace fails a profile',
    query: z.object({}),
    reply: shown,
    statuses: [200],
    errors: ['WorkspaceNotFound'],
    example: { params: { WorkspaceId }, reply },
  }),
  PutPolicy: operation({
    name: 'PutPolicy',
    api: 'Kiln',
    method: 'PUT',
    path,
    summary:
      'Sets what follows when an image of a workspace fails a profile; for images that become ACTIVE from now on',
    query: z.object({}),
    body,
    reply: shown,
    statuses: [200],
    errors: ['WorkspaceNotFound', 'ProfileNotFound'],
    guarded: ['Mode', 'Profiles', 'WaitSeconds', 'Attest', 'CosignTags', 'ErrorOnDrift'],
    role: 'admin',
    example: { params: { WorkspaceId }, body: example, reply },
  }),
  TryPolicy: operation({
    name: 'TryPolicy',
    api: 'Kiln',
    method: 'POST',
    path: `${path}/dryrun`,
    summary: 'Lists the images of a workspace that a policy would refuse or warn of; nothing is changed',
    query: z.object({}),
    body,
    reply: z.object({
      ...requestId,
      Passed: z.int(),
      Warned: z.int(),
      Failed: z.int(),
      Unknown: z.int().describe('have not been read, or not since the profile came'),
      NotAsked: z.int().describe('are meant for no profile'),
      Images: z
        .array(
          z.object({
            ImageId: z.string(),
            Name: z.string(),
            ImageUri: z.string(),
            Verdict: z.enum(['fail', 'warn']),
            Broken: z.array(brokenRule),
          }),
        )
        .describe('that fail or are warned of; at most 1000, those that fail first'),
    }),
    statuses: [200],
    errors: ['WorkspaceNotFound', 'ProfileNotFound'],
    guarded: ['Mode', 'Profiles', 'WaitSeconds', 'Attest', 'CosignTags', 'ErrorOnDrift'],
    role: 'developer',
    example: {
      params: { WorkspaceId },
      body: example,
      reply: { RequestId, Passed: 12, Warned: 1, Failed: 0, Unknown: 0, NotAsked: 3, Images: [] },
    },
  }),
};
