import { createHash } from 'node:crypto';
import { type BuildRequest, isSecretLike, type NamedContext } from '@kiln/domain';
import { hexOf } from './statement.ts';

/** A build, as its provenance tells of it. */
export interface BuildAccount {
  id: string;
  request: BuildRequest;
  /** Who built it. */
  builder: string;
  startedAt: Date | null;
  finishedAt: Date | null;
  /** As the Dockerfile names each; `host/repository@sha256:…`; `os/architecture`. */
  bases: readonly { name: string; id: string; platform: string }[];
  steps: readonly {
    number: number;
    stage: number;
    instruction: string;
    firstLine: number;
    lastLine: number;
    startedAt: Date;
    endedAt: Date | null;
    result: string | null;
  }[];
}

export const buildType = 'urn:kiln:build:dockerfile:v1';
const hidden = '[hidden]';

const cleaned = (values: Record<string, string> = {}): Record<string, string> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, isSecretLike(name, value) ? hidden : value]));

interface Resource {
  name?: string;
  uri?: string;
  digest?: Record<string, string>;
}

/** The files of a build: by a commit, or by the digest of what they are. */
function resourceOf(name: string, context: NamedContext): Resource | undefined {
  if ('image' in context) return undefined;
  const { source, id } = context;
  const digest = id === undefined ? {} : { sha256: hexOf(id) };
  if (source?.type === 'git')
    return {
      name,
      uri: `git+${withoutQuery(source.url)}`,
      digest: { ...digest, ...(source.commit ? { gitCommit: source.commit } : {}) },
    };
  return { name, ...(source ? { uri: withoutQuery(source.url) } : {}), digest };
}

/** What comes after `?` may sign an address, or open what lies there. */
const withoutQuery = (address: string): string => address.replace(/[?#].*$/, '');

/**
 * SLSA's provenance, version 1: what was asked for, without secrets; what it was made of, by digest; and how it went. Of the
 * Dockerfile only its digest, and of its steps the keyword: what is in none of the image's layers may not be for those who
 * read it.
 */
export function provenanceOf({ id, request, builder, startedAt, finishedAt, bases, steps }: BuildAccount) {
  const { dockerfile, context, namedContexts = {}, image, target, form, platform, stage, noCache } = request;
  const resources: (Resource | undefined)[] = [
    { name: 'Dockerfile', digest: { sha256: createHash('sha256').update(dockerfile).digest('hex') } },
    ...(context ? [resourceOf('context', context)] : []),
    ...Object.entries(namedContexts).map(([name, it]) => resourceOf(`context ${name}`, it)),
    ...bases.map((it) => ({
      name: it.name,
      uri: `docker://${it.id}`,
      digest: { sha256: hexOf(it.id.slice(it.id.indexOf('@') + 1)) },
    })),
  ];
  return {
    buildDefinition: {
      buildType,
      externalParameters: {
        image: target.reference,
        name: image.name,
        form,
        ...(platform === undefined ? {} : { platform }),
        ...(stage === undefined ? {} : { stage }),
        ...(noCache ? { noCache } : {}),
        arguments: cleaned(request.arguments),
        labels: cleaned(request.imageLabels),
        ...(context?.dockerfile === undefined ? {} : { dockerfile: context.dockerfile }),
        ...(context?.subPath === undefined ? {} : { folder: context.subPath }),
      },
      internalParameters: { resources: request.resources, network: request.network?.name ?? 'default' },
      resolvedDependencies: resources.filter((it) => it !== undefined),
    },
    runDetails: {
      builder: { id: builder },
      metadata: {
        invocationId: id,
        ...(startedAt ? { startedOn: startedAt.toISOString() } : {}),
        ...(finishedAt ? { finishedOn: finishedAt.toISOString() } : {}),
      },
      byproducts: [
        {
          name: 'steps',
          mediaType: 'application/json',
          content: Buffer.from(
            JSON.stringify(
              steps.map((it) => ({
                number: it.number,
                stage: it.stage,
                keyword: /^\w*/.exec(it.instruction)?.[0] ?? '',
                lines: [it.firstLine, it.lastLine],
                result: it.result,
                ...(it.endedAt ? { seconds: (it.endedAt.getTime() - it.startedAt.getTime()) / 1000 } : {}),
              })),
            ),
          ).toString('base64'),
        },
      ],
    },
  };
}
