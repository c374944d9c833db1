import { Fault, type ParsedDockerfile, type Step } from '@kiln/domain';
import type { BaseImage } from '../engine.ts';
import type { Definition, Op, Result } from './messages.ts';
import { digestOf, opType } from './proto.ts';

/** What a build is going to do, as the daemon made it of the Dockerfile: which of its operations is which step. */
export interface Plan {
  /**
   * Places among the Dockerfile's instructions, from 1, by the digest of an operation: an image from which several
   * stages start is fetched once.
   */
  steps: ReadonlyMap<string, readonly number[]>;
}

/** A Dockerfile of 500 instructions has some thousand at most. */
const operationsMax = 20_000;

/** First line of the Dockerfile that an operation comes from. */
const lineOf = (definition: Definition, digest: string): number | undefined =>
  definition.Source?.locations[digest]?.locations[0]?.ranges[0]?.start?.line;

/**
 * Refuses what the daemon was told not to do, should it want to do it all the same.
 * @throws Fault DockerfileInvalid, EngineFailed
 */
function checkOperation({ source, exec }: Op, registry: string): void {
  const [, image] = /^docker-image:\/\/(.*)$/.exec(source?.identifier ?? '') ?? [];
  if (image !== undefined && !image.startsWith(`${registry}/base@`))
    throw new Fault('DockerfileInvalid', `the image ${image} is named in a way that Kiln does not follow`);
  if (/^(?:oci-layout|docker-image\+blob):/.test(source?.identifier ?? ''))
    throw new Fault('EngineFailed', `the engine wants to read ${source?.identifier.slice(0, 200)}`);
  if (exec && exec.security !== 0) throw new Fault('EngineFailed', 'the engine wants to run a step with all rights');
}

const placesOf = (steps: readonly Step[], isMeant: (step: Step) => boolean): number[] =>
  steps.flatMap((it, index) => (isMeant(it) ? [index + 1] : []));

/** Places of the instructions that an operation comes from; fetching an image is what FROM does. */
function stepsOf(
  definition: Definition,
  digest: string,
  { source }: Op,
  parsed: ParsedDockerfile,
  bases: readonly BaseImage[],
): number[] {
  const image = /^docker-image:.*(@sha256:[0-9a-f]{64})$/.exec(source?.identifier ?? '')?.[1];
  const names = bases.filter((it) => image !== undefined && it.id.endsWith(image)).map((it) => it.name);
  const line = lineOf(definition, digest);
  if (names.length > 0)
    return placesOf(parsed.steps, (it) => parsed.built.has(it.stage) && names.includes(it.from ?? ''));
  return line === undefined ? [] : placesOf(parsed.steps, ({ lines: [first, last] }) => first <= line && line <= last);
}

/**
 * Reads a build's graph.
 * @param registry the gateway, which alone has images that this build may read
 * @throws Fault DockerfileInvalid, EngineFailed when it has what it may not have
 */
export function readPlan(
  result: Result,
  parsed: ParsedDockerfile,
  bases: readonly BaseImage[],
  registry: string,
): Plan {
  const definition = result.ref?.def;
  const steps = new Map<string, number[]>();
  if (!definition) return { steps };
  if (definition.def.length > operationsMax)
    throw new Fault('EngineFailed', `the engine wants to do ${definition.def.length} things in one build`);
  const ops = new Map(definition.def.map((it) => [digestOf(it), opType.deserialize(it)]));
  for (const [digest, op] of ops) {
    checkOperation(op, registry);
    const numbers = stepsOf(definition, digest, op, parsed, bases);
    if (numbers.length > 0) steps.set(digest, numbers);
  }
  // What ADD fetches has no line of its own.
  for (const [digest, { source }] of ops) {
    if (!/^(?:https?|git):/.test(source?.identifier ?? '')) continue;
    const users = [...ops].filter(([, it]) => it.inputs.some((input) => input.digest === digest));
    steps.set(digest, [...new Set(users.flatMap(([user]) => steps.get(user) ?? []))]);
  }
  return { steps };
}
