import { parseBytes, parseCpu } from './amounts.ts';

/** How the cloud names its instance types: family, then size. */
export const ecsForm = /^ecs\.[a-z][a-z0-9]*(?:-[a-z0-9]+)*\.[a-z0-9]+$/;

/**
 * GiB of memory for each processor, by family; the longest beginning that fits counts. `0` where the name itself tells,
 * as in `u1-c1m4`. GPUs are not given to builds: of their instances, it is processors and memory that count.
 */
const gibPerProcessor: [family: string, gib: number][] = [
  // Compute, general, memory; with local disks, in burst, on other processors, as bare metal
  ['c', 2], ['g', 4], ['r', 8], ['re', 16], ['u1', 0], ['e', 0], ['t', 0], ['sn1', 2], ['sn2', 4], ['se1', 8],
  ['hfc', 2], ['hfg', 4], ['hfr', 8], ['hfcc', 2], ['hfcg', 4],
  ['i', 8], ['i4g', 4], ['d', 4], ['d1', 4], ['xn4', 1], ['n4', 2], ['mn4', 4], ['e4', 8],
  ['ebmc', 2], ['ebmg', 4], ['ebmr', 8], ['ebmre', 16], ['ebmhfc', 2], ['ebmhfg', 4], ['ebmhfr', 8], ['ebmi', 8],
  ['sccc', 2], ['sccg', 4], ['sccr', 8], ['scchfc', 2], ['scchfg', 4], ['scchfr', 8],
  // GPU
  ['gn5', 7.5], ['gn5i', 4], ['gn6i', 3.75], ['gn6e', 7.5], ['gn6v', 4], ['gn7', 7.75], ['gn7i', 3.75], ['gn7s', 7.5], ['gn7e', 7.75], ['gn7r', 4], ['gn8v', 8], ['gn8i', 4], ['gn', 4],
  ['vgn', 5.75], ['sgn', 3.75], ['ga', 4], ['f', 4], ['p', 8],
  ['ebmgn6', 4], ['ebmgn6i', 4], ['ebmgn6v', 4], ['ebmgn7', 8], ['ebmgn7i', 6], ['ebmgn7e', 8], ['ebmgn7ex', 8], ['ebmgn8', 8], ['ebmgn', 6], ['sccgn', 8],
]; // prettier-ignore

/** A beginning counts where it ends: with a figure in it anywhere, without one before the generation. */
const isFamily = (beginning: string, family: string): boolean =>
  family.startsWith(beginning) && (/\d/.test(beginning) || /^(?:\d|$)/.test(family.slice(beginning.length)));

const byLength = [...gibPerProcessor].sort(([a], [b]) => b.length - a.length);
const sizes: Record<string, number> = { nano: 1, small: 1, medium: 1, large: 2, xlarge: 4 };

/**
 * Processors and memory of one of the cloud's instance types, such as `ecs.g7.xlarge` or `ecs.gn6i-c4g1.xlarge`.
 * @param most more than this no build gets, whatever its type has
 * @returns undefined for a name that is not known
 */
export function ecsClass(
  name: string,
  most: { CPU: string; Memory: string },
): { CPU: string; Memory: string } | undefined {
  const [, family = '', shape = '', times, size = ''] =
    /^ecs\.([a-z][a-z0-9]*)((?:-[a-z0-9]+)*)\.(\d{1,2})?(nano|small|medium|large|xlarge)$/.exec(name) ?? [];
  if (times !== undefined && size !== 'xlarge') return undefined;
  const processors = (sizes[size] ?? 0) * Number(times ?? 1);
  const known = byLength.find(([it]) => isFamily(it, family));
  if (!known || processors === 0) return undefined;
  const [, cores, gib] = /^-l?c(\d+)m(\d+)/.exec(shape) ?? [];
  const each = known[1] || Number(gib ?? 2) / Number(cores ?? 1);
  const bytes = Math.min(processors * each * 2 ** 30, parseBytes(most.Memory));
  const millis = Math.min(processors * 1000, parseCpu(most.CPU));
  return { CPU: `${millis}m`, Memory: `${Math.floor(bytes / 2 ** 20)}Mi` };
}
