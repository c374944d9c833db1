import { z } from 'zod';
import { Fault } from '../fault.ts';
import { type CreateImageBuildBody } from '../pai/image-build.ts';

/** What one build may use. */
export interface Limits {
  memoryBytes: number;
  /** Thousandths of a processor. */
  cpuMillis: number;
  pids: number;
  diskBytes: number;
  /** Wall-clock time; 0 for none. */
  seconds: number;
}

const units = { '': 1, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 } as const;

/** `8Gi` → bytes. */
export function parseBytes(text: string): number {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)(Ki|Mi|Gi|Ti)?$/.exec(text) ?? [];
  return Math.round(Number(number) * units[unit as keyof typeof units]);
}

/** `2`, `0.5` or `500m` → thousandths of a processor. */
export const parseCpu = (text: string): number =>
  text.endsWith('m') ? Number(text.slice(0, -1)) : Math.round(Number(text) * 1000);

const amount = z.string().regex(/^\d+(\.\d+)?(Ki|Mi|Gi|Ti)?$/, 'must be an amount, such as 8Gi');
const cores = z.string().regex(/^\d+(\.\d+)?$|^\d+m$/, 'must be a number of cores, such as 4 or 500m');

/** A resource class as an operator writes it. */
export const resourceClassSchema = z.strictObject({
  CPU: cores,
  Memory: amount,
  Disk: amount.optional(),
  Pids: z.int().min(16).optional(),
  Seconds: z.int().min(0).optional(),
});
export type ResourceClass = z.infer<typeof resourceClassSchema>;

/** What a class that does not say otherwise has beside processors and memory. */
const rest = { Disk: '20Gi', Pids: 2048, Seconds: 7200 };

// Memory for each processor by family, and processors by size, as the cloud has them.
const gibPerCore: Record<string, number> = { c: 2, g: 4, r: 8 };
const ecsName = /^ecs\.([cgr])\d[a-z]{0,3}\.(?:(large)|(\d{0,2})xlarge)$/;

/** The classes that are there without being configured: general, compute and memory families of the cloud's instances. */
function shippedClass(name: string): ResourceClass | undefined {
  const [match, family = '', large, times] = ecsName.exec(name) ?? [];
  if (match === undefined) return undefined;
  const processors = large ? 2 : 4 * Number(times || 1);
  return { CPU: String(processors), Memory: `${processors * (gibPerCore[family] ?? 2)}Gi` };
}

/** What builds get whose request names nothing. */
const usual: ResourceClass = { CPU: '2', Memory: '4Gi' };

/**
 * The limits that a request asks for: those of its class, with the figures that it gives itself over them.
 * @param classes the operator's, which go before the shipped ones; `*` stands for names that nobody knows
 * @throws Fault InvalidParameter that names the field
 */
export function limitsOf(classes: Record<string, ResourceClass>, resource: CreateImageBuildBody['Resource']): Limits {
  const { EcsSpec: name, ResourceConfig: config } = resource;
  const found =
    name === undefined ? (classes['default'] ?? usual) : (classes[name] ?? shippedClass(name) ?? classes['*']);
  if (!found) {
    const known = [
      ...Object.keys(classes).filter((it) => it !== '*' && it !== 'default'),
      'ecs.c6.large',
      'ecs.g6.xlarge',
      'ecs.r6.2xlarge',
    ];
    throw new Fault(
      'InvalidParameter',
      `Resource.EcsSpec: there is no resource class ${JSON.stringify(name)}; among others there are ${known.join(', ')}`,
      { field: 'Resource.EcsSpec' },
    );
  }
  const { CPU, Memory, Disk, Pids, Seconds } = { ...rest, ...found };
  const limits = {
    cpuMillis: parseCpu(config?.CPU ?? CPU),
    memoryBytes: parseBytes(config?.Memory ?? Memory),
    diskBytes: parseBytes(Disk ?? rest.Disk),
    pids: Pids ?? rest.Pids,
    seconds: Seconds ?? rest.Seconds,
  };
  const tooSmall = (field: 'CPU' | 'Memory', least: string) =>
    new Fault('InvalidParameter', `Resource.ResourceConfig.${field}: must be at least ${least}`, {
      field: `Resource.ResourceConfig.${field}`,
    });
  if (limits.cpuMillis < 10) throw tooSmall('CPU', '10m');
  if (limits.memoryBytes < 64 * 2 ** 20) throw tooSmall('Memory', '64Mi');
  return limits;
}
