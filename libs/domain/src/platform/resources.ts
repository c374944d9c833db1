import { requestFields, type ResourceRequest } from '../builds/build-request.ts';
import { fieldFault } from '../errors/fault.ts';
import { parseBytes, parseCpu } from './amounts.ts';
import { ecsClass, ecsForm } from './ecs-classes.ts';

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

/** A resource class, as an operator describes it. */
export interface ResourceClass {
  CPU: string;
  Memory: string;
  Disk?: string;
  Pids?: number;
  Seconds?: number;
}

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
      note: `${requestFields.class}: ${name} is not known here; the build has the default class (${found.CPU} CPU, ${found.Memory})`,
    };
  }
  const examples = offer.shippedClasses ? ['ecs.c6.large', 'ecs.g6.xlarge', 'ecs.r6.2xlarge'] : [];
  const known = [...Object.keys(resources).filter((it) => it !== '*' && it !== 'default'), ...examples];
  throw fieldFault(
    'InvalidParameter',
    requestFields.class,
    `there is no resource class ${JSON.stringify(name)}; among others there are ${known.join(', ')}`,
  );
}

/** The most disk that any class gives a build. */
export const diskBytesMax = ({ resources }: Pick<Offer, 'resources'>): number =>
  Math.max(...[rest, ...Object.values(resources)].map((it) => parseBytes(it.Disk ?? rest.Disk)));

/**
 * The limits that a request asks for: those of its class, with the figures that it gives itself over them.
 * @returns besides, what its sender is told, where that is not what the request says
 * @throws Fault InvalidParameter that names the field
 */
export function limitsOf(
  offer: Offer,
  { class: name, amounts: given = {} }: ResourceRequest,
): { limits: Limits; note?: string } {
  const usualClass = classOf(offer.resources, 'default') ?? usual;
  const { found, ...told } = name === undefined ? { found: usualClass } : namedClass(offer, name);
  const { CPU, Memory, Disk, Pids, Seconds } = { ...rest, ...found };
  const limits = {
    cpuMillis: parseCpu(given.cpu ?? CPU),
    memoryBytes: parseBytes(given.memory ?? Memory),
    diskBytes: parseBytes(Disk),
    pids: Pids,
    seconds: Seconds,
  };
  const wrong = (field: 'cpu' | 'memory', why: string) => fieldFault('InvalidParameter', requestFields[field], why);
  if (limits.cpuMillis < 10) throw wrong('cpu', 'must be at least 10m');
  if (limits.memoryBytes < 64 * 2 ** 20) throw wrong('memory', 'must be at least 64Mi');
  // What a class gives is the operator's word.
  if (given.cpu && limits.cpuMillis > parseCpu(offer.most.CPU)) throw wrong('cpu', `must be at most ${offer.most.CPU}`);
  if (given.memory && limits.memoryBytes > parseBytes(offer.most.Memory))
    throw wrong('memory', `must be at most ${offer.most.Memory}`);
  return { limits, ...told };
}

/** Some of the cloud's names that are known without being listed. */
const examples = ['c6', 'g6', 'r6'].flatMap((family) =>
  ['large', 'xlarge', '2xlarge', '4xlarge'].map((size) => `ecs.${family}.${size}`),
);

/** Classes that people may choose from, by name: the operator's, and examples of the cloud's. */
export function offeredClasses(offer: Offer): Record<string, Limits> {
  const own = Object.keys(offer.resources).filter((it) => it !== '*' && it !== 'default');
  const shipped = offer.shippedClasses ? examples.filter((it) => ecsClass(it, offer.most)) : [];
  return Object.fromEntries(
    [...new Set([...own, ...shipped])].map((it) => [it, limitsOf(offer, { class: it }).limits]),
  );
}
