import { createHash } from 'node:crypto';
import { Fault } from '@kiln/domain';
import { z } from 'zod';

export const indexTypes = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
];
export const manifestTypes = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];
export const acceptHeader = [...manifestTypes, ...indexTypes].join(', ');

/** Larger manifests are refused by the registries themselves. */
export const manifestBytesMax = 4 << 20;

const digestPattern = /^sha256:[0-9a-f]{64}$/;
export const isDigest = (text: string): boolean => digestPattern.test(text);
const digest = z.string().regex(digestPattern, 'must be a sha256 digest');
// Printable: these end up in PostgreSQL and in messages.
const word = z
  .string()
  .max(255)
  .regex(/^[\x20-\x7e]*$/, 'must be printable ASCII');
const descriptor = z.object({ mediaType: word, digest, size: z.int().min(0) });

const artifactType = word.nullish();
/** What is written in Go has null where nothing is in a list: an image without a layer, by BuildKit. */
const list = <T extends z.ZodType>(item: T, max: number) =>
  z
    .array(item)
    .max(max)
    .nullable()
    .transform((it) => it ?? []);

export const manifestSchema = z.object({
  schemaVersion: z.literal(2),
  mediaType: word.optional(),
  artifactType,
  config: descriptor,
  layers: list(descriptor, 1000),
});
export type Manifest = z.infer<typeof manifestSchema>;

const platform = z.object({ os: word, architecture: word, variant: word.optional() });
export type Platform = z.infer<typeof platform>;

export const indexSchema = z.object({
  schemaVersion: z.literal(2),
  mediaType: word.optional(),
  artifactType,
  manifests: z.array(descriptor.extend({ platform: platform.nullish(), artifactType })).max(100),
});
export type IndexEntry = z.infer<typeof indexSchema>['manifests'][number];

// Docker once gave no better name to its configs than the last one.
const configTypes = [
  'application/vnd.oci.image.config.v1+json',
  'application/vnd.docker.container.image.v1+json',
  'application/octet-stream',
];
const layerType = /^application\/vnd\.(?:oci\.image\.layer|docker\.image\.rootfs)\./;

/**
 * What something is that is kept in a registry like an image and is none, such as a chart, a signature or an
 * attestation.
 * @returns undefined for an image
 */
export function artifactTypeOf({ artifactType, config, layers }: Manifest): string | undefined {
  if (!configTypes.includes(config.mediaType)) return artifactType || config.mediaType;
  // Signatures pretend to have an image's config.
  const [first] = layers;
  return first && !layers.some((it) => layerType.test(it.mediaType)) ? first.mediaType : undefined;
}

/** The parts of an image's config that say what it runs on. Other kinds of artifact have a config without them. */
export const configSchema = platform.extend({
  rootfs: z.object({ type: z.literal('layers'), diff_ids: list(digest, 1000) }),
  /** How it is run; what is not as it should be counts as not given. */
  config: z
    .object({
      User: z.string().catch(''),
      WorkingDir: z.string().catch(''),
      Entrypoint: z.array(z.string()).catch([]),
      Cmd: z.array(z.string()).catch([]),
      Env: z.array(z.string()).catch([]),
      ExposedPorts: z.record(z.string(), z.unknown()).catch({}),
      Volumes: z.record(z.string(), z.unknown()).catch({}),
      Labels: z.record(z.string(), z.string()).catch({}),
    })
    .optional()
    .catch(undefined),
  // For people; nothing depends on it.
  history: z
    .array(
      z.object({
        created_by: z.string().optional().catch(undefined),
        empty_layer: z.boolean().optional().catch(undefined),
      }),
    )
    .max(2000)
    .optional()
    .catch(undefined),
});

export const platformName = (it: Platform): string => [it.os, it.architecture, it.variant].filter(Boolean).join('/');

export const sha256Digest = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/**
 * Parses a document that a registry sent.
 * @param what what it is, for the error
 * @throws Fault ManifestInvalid that names the field
 */
export function parseDocument<S extends z.ZodType>(schema: S, bytes: Buffer, what: string): z.output<S> {
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw new Fault('ManifestInvalid', `${what} is not JSON`);
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new Fault(
    'ManifestInvalid',
    `${what} is not well-formed: ${issue?.path.join('.') || 'document'}: ${issue?.message ?? ''}`,
  );
}
