import { contextName, nameOfStage, type ParsedDockerfile } from '@kiln/domain';
import type { BaseImage } from '../engine.ts';

/**
 * Names by digest, in the Dockerfile itself, those bases that a stage is called like: `FROM nginx AS nginx`. The frontend
 * looks for images and for stages under the same names, and would put the image in the place of the stage.
 * @returns the Dockerfile and the bases, under the names that they have in it
 */
export function pinBases(
  dockerfile: string,
  { steps, platform, named }: ParsedDockerfile,
  bases: readonly BaseImage[],
): { dockerfile: string; bases: BaseImage[] } {
  const froms = steps.filter((it) => it.keyword === 'FROM');
  const stages = new Set(froms.flatMap((it) => nameOfStage(it.operands)?.toLowerCase() ?? []));
  // What a request names so is to stand in the place of the stage.
  const isHidden = (name: string): boolean => stages.has(contextName(name)) && !named.has(name);
  const lines = dockerfile.split('\n');
  const pinned = bases.filter((it) => !isHidden(it.name));
  const begun = new Set<string>();
  for (const step of froms) {
    const { from = '', operands, lines: places } = step;
    const base = bases.find((it) => it.name === from && it.platform === (step.platform ?? platform));
    if (base && isHidden(from) && !begun.has(from)) {
      const name = `${contextName(from)}@${base.id.slice(base.id.indexOf('@') + 1)}`;
      const [word = ''] = operands.split(/\s/);
      const at = lines.findIndex((it, n) => n >= places[0] - 1 && n < places[1] && it.includes(word));
      // Flags stand before it, and are no part of an image's name.
      if (at >= 0) lines[at] = (lines[at] ?? '').replace(new RegExp(`(^|\\s)${escaped(word)}(?=\\s|$)`), `$1${name}`);
      pinned.push({ ...base, name });
    }
    const stage = nameOfStage(operands)?.toLowerCase();
    if (stage !== undefined) begun.add(stage);
  }
  return { dockerfile: lines.join('\n'), bases: pinned };
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
