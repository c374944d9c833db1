import type { ImageFacts, ImagePackage } from './image-facts.ts';

/** What is known of an image; its packages come apart from it. */
export interface ComparedImage {
  facts: Omit<ImageFacts, 'packages'>;
  packages: readonly ImagePackage[];
}

/** Something that differs: only the newer has it, or only the older, or they have other values of it. */
export interface Difference {
  name: string;
  now?: string;
  before?: string;
}

const list = (all: readonly string[]): string => [...new Set(all)].sort().join(', ');

/** Facts as people read them, by name. */
function textsOf({ facts }: ComparedImage): Map<string, string> {
  const { os, libc, pythons, frameworks, cuda, cudnn, nccl, cann, users, setuid, secrets, config } = facts;
  const texts: [string, string | undefined][] = [
    ['system', os?.name],
    ['C library', libc && `${libc.kind} ${libc.version ?? ''}`.trim()],
    ['architectures', list(facts.architectures)],
    ['python', list(pythons.map((it) => it.version))],
    ...frameworks.map((it): [string, string] => [
      `framework ${it.name}`,
      it.cuda === undefined ? it.version : `${it.version} (CUDA ${it.cuda})`,
    ]),
    ['cuda', list(cuda.map((it) => it.version))],
    ['cudnn', cudnn],
    ['nccl', nccl],
    ['cann', cann],
    ['users', list(users.map((it) => `${it.name} ${it.uid}:${it.gid}`))],
    ['setuid files', list(setuid.map((it) => it.path))],
    ['files that look like keys', list(secrets.map((it) => it.path))],
    ['user', config.user],
    ['working directory', config.workingDir],
    ['entrypoint', JSON.stringify(config.entrypoint)],
    ['command', JSON.stringify(config.cmd)],
    ['ports', list(config.ports)],
    ['volumes', list(config.volumes)],
    ...config.env.map((it): [string, string] => {
      const [name = '', ...value] = it.split('=');
      return [`env ${name}`, value.join('=')];
    }),
    ...Object.entries(config.labels).map(([key, value]): [string, string] => [`label ${key}`, value]),
  ];
  return new Map(texts.flatMap(([name, text]) => (text === undefined || text === '' ? [] : [[name, text]])));
}

/** Versions of each package, since an image may have several. */
function versionsOf({ packages }: ComparedImage): Map<string, string> {
  const versions = new Map<string, string[]>();
  for (const { type, name, version } of packages) {
    const key = `${type} ${name}`;
    const known = versions.get(key);
    if (known) known.push(version);
    else versions.set(key, [version]);
  }
  return new Map([...versions].map(([key, all]) => [key, list(all)]));
}

function differencesOf(now: Map<string, string>, before: Map<string, string>): Difference[] {
  const names = [...new Set([...now.keys(), ...before.keys()])].sort();
  return names.flatMap((name) => {
    const [a, b] = [now.get(name), before.get(name)];
    if (a === b) return [];
    return [{ name, ...(a === undefined ? {} : { now: a }), ...(b === undefined ? {} : { before: b }) }];
  });
}

const sum = (numbers: number[]): number => numbers.reduce((all, it) => all + it, 0);

/** Puts an image beside another one. Sizes are bytes. */
export function compareImages(now: ComparedImage, before: ComparedImage) {
  const older = new Set(before.facts.layers.map((it) => it.digest));
  const newer = new Set(now.facts.layers.map((it) => it.digest));
  const sizes = ({ facts: { layers } }: ComparedImage) => ({
    compressed: sum(layers.map((it) => it.size)),
    unpacked: sum(layers.map((it) => it.unpacked)),
  });
  return {
    facts: differencesOf(textsOf(now), textsOf(before)),
    packages: differencesOf(versionsOf(now), versionsOf(before)),
    sizes: { now: sizes(now), before: sizes(before) },
    sharedLayers: now.facts.layers.filter((it) => older.has(it.digest)).length,
    /** Layers that only one of them has. */
    layersNow: now.facts.layers.filter((it) => !older.has(it.digest)),
    layersBefore: before.facts.layers.filter((it) => !newer.has(it.digest)),
  };
}
