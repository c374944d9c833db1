import { attestationStates } from '@kiln/domain';
import { z } from 'zod';
import { operation } from '../operation.ts';
import { text } from '../text.ts';

const requestId = { RequestId: z.string() };
const RequestId = '7B9EFB2C-0E2A-4F4F-8A3E-1B1C6E0F5A11';
const ImageId = 'image-05cefd0be2f8c51d';
const Digest = 'sha256:3f79bb7b435b05321651daefd374cdc681dc06faa65e374e38337b88ca046dea';
const KeyId = '3f79bb7b435b05321651daefd374cdc681dc06faa65e374e38337b88ca046dea';
const at = '2026-01-15T09:30:00.000Z';
const admins = { role: 'admin' } as const;

const document = z.object({
  Kind: z.string().describe('provenance, spdx, cyclonedx, signature'),
  PredicateType: z.string(),
  Digest: z.string().describe('of its manifest, which refers to the image'),
  Bundle: z.string().describe('digest of the signed document, a Sigstore bundle'),
  Size: z.int().describe('bytes of the bundle'),
  KeyId: z.string().describe('SHA-256 of the public key that verifies it'),
});

/** What is attached to images, and the keys that sign it. */
export const attestationOperations = {
  ListAttestations: operation({
    name: 'ListAttestations',
    api: 'Kiln',
    method: 'GET',
    path: '/api/v1/images/{ImageId}/attestations',
    summary: 'Lists what is attached to an image: provenance, SBOMs, a signature',
    query: z.object({}),
    reply: z.object({
      ...requestId,
      State: z.enum(['none', ...attestationStates]),
      Image: z.string().describe('with its digest'),
      Code: z.string().optional().describe('why it failed, or has not been done yet'),
      Message: z.string().optional(),
      GmtWriteTime: z.string().optional(),
      Attestations: z.array(document),
    }),
    statuses: [200],
    errors: ['ImageNotFound'],
    example: {
      params: { ImageId },
      reply: { RequestId, State: 'none', Image: `registry.example.com/ml/torch-serving@${Digest}`, Attestations: [] },
    },
  }),
  GetAttestation: operation({
    name: 'GetAttestation',
    api: 'Kiln',
    method: 'GET',
    path: '/api/v1/images/{ImageId}/attestations/{Digest}',
    summary: 'Reads a document that is attached to an image from its registry, and verifies its signature',
    query: z.object({}),
    reply: z.object({
      ...requestId,
      Verified: z
        .boolean()
        .describe('a key of the account or the installation has signed it, and it is about the image'),
      Reason: z.string().optional().describe('why it is not'),
      KeyId: z.string().optional(),
      Statement: z.record(z.string(), z.unknown()).optional().describe("in-toto's statement"),
      Bundle: z.record(z.string(), z.unknown()).describe('as it is in the registry'),
    }),
    statuses: [200],
    errors: ['ImageNotFound', 'AttestationNotFound', 'RegistryUnreachable', 'RegistryDenied', 'ManifestInvalid'],
    example: { params: { ImageId, Digest }, reply: { RequestId, Verified: true, KeyId, Bundle: {} } },
  }),
  ListSigningKeys: operation({
    name: 'ListSigningKeys',
    api: 'Kiln',
    method: 'GET',
    path: '/api/v1/signingkeys',
    summary: 'Lists the public keys that have signed for the account, from the oldest',
    query: z.object({}),
    reply: z.object({
      ...requestId,
      SigningKeys: z.array(
        z.object({
          KeyId: z.string(),
          Owner: z.enum(['account', 'installation']),
          PublicKey: z.string().describe('PEM'),
          GmtCreateTime: z.string(),
          GmtRetireTime: z.string().optional().describe('since when it signs no more'),
        }),
      ),
    }),
    statuses: [200],
    errors: [],
    role: 'viewer',
    example: { reply: { RequestId, SigningKeys: [] } },
  }),
  CreateSigningKey: operation({
    name: 'CreateSigningKey',
    api: 'Kiln',
    method: 'POST',
    path: '/api/v1/signingkeys',
    summary: 'Makes a key of the account, or takes one, which signs from now on; those before still verify',
    query: z.object({}),
    body: z.object(
      { PrivateKey: text(4000, 1).optional().describe('PEM, of the curve P-256; a new one without it') },
      'must be a JSON object',
    ),
    reply: z.object({ ...requestId, KeyId: z.string(), PublicKey: z.string(), GmtCreateTime: z.string() }),
    statuses: [201],
    errors: [],
    guarded: ['PrivateKey'],
    makes: 'KeyId',
    ...admins,
    example: { body: {}, reply: { RequestId, KeyId, PublicKey: '-----BEGIN PUBLIC KEY-----…', GmtCreateTime: at } },
  }),
  DeleteSigningKey: operation({
    name: 'DeleteSigningKey',
    api: 'Kiln',
    method: 'DELETE',
    path: '/api/v1/signingkeys/{KeyId}',
    summary: 'Ends the use of a key of the account; what it has signed can still be verified',
    query: z.object({}),
    reply: z.object(requestId),
    statuses: [200],
    errors: ['SigningKeyNotFound'],
    ...admins,
    example: { params: { KeyId }, reply: { RequestId } },
  }),
};
