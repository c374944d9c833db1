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

export const amount = z.string().regex(/^\d+(\.\d+)?(Ki|Mi|Gi|Ti)?$/, 'must be an amount, such as 8Gi');
export const cores = z.string().regex(/^\d+(\.\d+)?$|^\d+m$/, 'must be a number of cores, such as 4 or 500m');

/** A resource class as an operator writes it. */
export const resourceClassSchema = z.strictObject({
  CPU: cores,
  Memory: amount,
  Disk: amount.exactOptional(),
  Pids: z.int().min(16).exactOptional(),
  Seconds: z.int().min(0).exactOptional(),
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

/** The parts of the platform file that say what a request may have. */
interface Offer {
  resources: Record<string, ResourceClass>;
  shippedClasses: boolean;
  most: { CPU: string; Memory: string };
}

/** What one of the operator's classes is called; never what an object has by nature. */
const classOf = (classes: Record<string, ResourceClass>, name: string): ResourceClass | undefined =>
  Object.hasOwn(classes, name) ? classes[name] : undefined;

/**
 * The limits that a request asks for: those of its class, with the figures that it gives itself over them.
 * @throws Fault InvalidParameter that names the field
 */
export function limitsOf(offer: Offer, resource: CreateImageBuildBody['Resource']): Limits {
  const { EcsSpec: name, ResourceConfig: config } = resource;
  const { resources } = offer;
  const found =
    name === undefined
      ? (classOf(resources, 'default') ?? usual)
      : (classOf(resources, name) ??
        (offer.shippedClasses ? shippedClass(name) : undefined) ??
        classOf(resources, '*'));
  if (!found) {
    const shipped = offer.shippedClasses ? ['ecs.c6.large', 'ecs.g6.xlarge', 'ecs.r6.2xlarge'] : [];
    const known = [...Object.keys(resources).filter((it) => it !== '*' && it !== 'default'), ...shipped];
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
    diskBytes: parseBytes(Disk),
    pids: Pids,
    seconds: Seconds,
  };
  const wrong = (field: 'CPU' | 'Memory', why: string) =>
    new Fault('InvalidParameter', `Resource.ResourceConfig.${field}: ${why}`, {
      field: `Resource.ResourceConfig.${field}`,
    });
  if (limits.cpuMillis < 10) throw wrong('CPU', 'must be at least 10m');
  if (limits.memoryBytes < 64 * 2 ** 20) throw wrong('Memory', 'must be at least 64Mi');
  // What a class gives is the operator's word.
  if (config?.CPU && limits.cpuMillis > parseCpu(offer.most.CPU))
    throw wrong('CPU', `must be at most ${offer.most.CPU}`);
  if (config?.Memory && limits.memoryBytes > parseBytes(offer.most.Memory))
    throw wrong('Memory', `must be at most ${offer.most.Memory}`);
  return limits;
}
