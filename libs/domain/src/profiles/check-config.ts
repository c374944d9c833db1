import type { InspectedImage } from '../facts/image-facts.ts';
import { fail, type Finding, pass } from './findings.ts';
import type { Check } from './profile.ts';

type Of<K extends Check['kind']> = Extract<Check, { kind: K }>;

const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

export function checkSize({ facts }: InspectedImage, { of, max }: Of<'size'>): Finding {
  const bytes = facts.layers.reduce((sum, it) => sum + (of === 'compressed' ? it.size : it.unpacked), 0);
  if (bytes <= max) return pass(`${gib(bytes)} ${of}`);
  const largest = facts.largest.slice(0, 3).map((it) => `${it.path} (${gib(it.size)})`);
  return fail(`${gib(bytes)} ${of}, and ${gib(max)} may be; the largest files: ${largest.join(', ')}`);
}

export function checkEnv({ facts }: InspectedImage, { name, value }: Of<'env'>): Finding {
  const found = facts.config.env.findLast((it) => it.startsWith(`${name}=`))?.slice(name.length + 1);
  if (found === undefined) return fail(`${name} is not set`);
  return value === undefined || found === value ? pass(`${name}=${found}`) : fail(`${name} is ${found}, not ${value}`);
}

export function checkWorkingDir({ facts }: InspectedImage, { path }: Of<'working-dir'>): Finding {
  const found = facts.config.workingDir || '/';
  return found.replace(/(?<=.)\/$/, '') === path ? pass(path) : fail(`it is ${found}, not ${path}`);
}

export function checkPorts({ facts }: InspectedImage, { exposed = [], reserved = [] }: Of<'ports'>): Finding {
  const { ports } = facts.config;
  const has = (port: number) => ports.some((it) => it === String(port) || it === `${port}/tcp`);
  const taken = reserved.filter(has);
  if (taken.length > 0) return fail(`it exposes ${taken.join(', ')}, which the platform uses itself`);
  const lacking = exposed.filter((it) => !has(it));
  if (lacking.length > 0) return fail(`it does not expose ${lacking.join(', ')}, but ${ports.join(', ') || 'nothing'}`);
  return pass(ports.length > 0 ? `it exposes ${ports.join(', ')}` : 'it exposes nothing');
}
