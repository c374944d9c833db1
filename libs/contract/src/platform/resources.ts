import { z } from 'zod';
import { Fault, ecsClass, ecsForm, parseBytes, parseCpu } from '@kiln/domain';
import { type CreateImageBuildBody } from '../pai/image-build.ts';
import { amount, cores } from './amounts.ts';

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

/** What builds get whose request names nothing. */
const usual: ResourceClass = { CPU: '2', Memory: '4Gi' };

/** The parts of the platform file that say what a request may have. */
interface Offer {
  resources: Record<string, ResourceClass>;
  shippedClasses: boolean;
  strictClasses: boolean;
  most: { CPU: string; Memory: string };
}

/** What one of the operator's classes is called; never what an object has by nature. */
const classOf = (classes: Record<string, ResourceClass>, name: string): ResourceClass | undefined =>
  Object.hasOwn(classes, name) ? classes[name] : undefined;

/** The class that a request names, and what its sender is told of it. */
function namedClass(offer: Offer, name: string): { found: ResourceClass; note?: string } {
  const { resources } = offer;
  const listed = classOf(resources, name);
  if (listed) return { found: listed };
  const shipped = offer.shippedClasses ? ecsClass(name, offer.most) : undefined;
  if (shipped) return { found: shipped };
  const anyOther = classOf(resources, '*');
  if (anyOther) return { found: anyOther };
  const isLenient = offer.shippedClasses && !offer.strictClasses;
  if (isLenient && ecsForm.test(name)) {
    const found = classOf(resources, 'default') ?? usual;
    return {
      found,
      note: `Resource.EcsSpec: ${name} is not known here; the build has the default class (${found.CPU} CPU, ${found.Memory})`,
    };
  }
  const examples = offer.shippedClasses ? ['ecs.c6.large', 'ecs.g6.xlarge', 'ecs.r6.2xlarge'] : [];
  const known = [...Object.keys(resources).filter((it) => it !== '*' && it !== 'default'), ...examples];
  throw new Fault(
    'InvalidParameter',
    `Resource.EcsSpec: there is no resource class ${JSON.stringify(name)}; among others there are ${known.join(', ')}`,
    { field: 'Resource.EcsSpec' },
  );
}

/**
 * The limits that a request asks for: those of its class, with the figures that it gives itself over them.
 * @returns besides, what its sender is told, where that is not what the request says
 * @throws Fault InvalidParameter that names the field
 */
export function limitsOf(
  offer: Offer,
  { EcsSpec: name, ResourceConfig: config }: CreateImageBuildBody['Resource'],
): { limits: Limits; note?: string } {
  const usualClass = classOf(offer.resources, 'default') ?? usual;
  const { found, ...told } = name === undefined ? { found: usualClass } : namedClass(offer, name);
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
  return { limits, ...told };
}
