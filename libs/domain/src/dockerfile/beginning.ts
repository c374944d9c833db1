import { splitInstructions } from './instructions.ts';

const changesFiles = new Set(['RUN', 'COPY', 'ADD']);

/**
 * What a Dockerfile begins with, its first step that changes files included: builds of which it is the same share the
 * beginning of a cache.
 * @returns empty when there is no such step
 * @throws Fault DockerfileInvalid
 */
export function beginningOf(dockerfile: string): string {
  const { instructions } = splitInstructions(dockerfile);
  const end = instructions.findIndex((it) => changesFiles.has(it.keyword));
  return instructions
    .slice(0, end + 1)
    .map((it) => `${it.keyword} ${it.text}`)
    .join('\n');
}
