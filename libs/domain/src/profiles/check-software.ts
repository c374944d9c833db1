import { lookUp } from '../facts/root-tree.ts';
import { cudaInUse, type ImageFacts, type InspectedImage, programOf } from '../facts/image-facts.ts';
import { compareVersions, newestOf, packageKey } from '../facts/versions.ts';
import { fail, type Finding, missing, notApplicable, pass, unknown } from './findings.ts';
import type { Check, VersionedFact } from './profile.ts';

type Of<K extends Check['kind']> = Extract<Check, { kind: K }>;

const versionOf: Record<VersionedFact, (facts: ImageFacts) => string | undefined> = {
  python: ({ pythons }) => newestOf(pythons.map((it) => it.version)),
  cuda: cudaInUse,
  cudnn: ({ cudnn }) => cudnn,
  nccl: ({ nccl }) => nccl,
  cann: ({ cann }) => cann,
  glibc: ({ libc }) => (libc?.kind === 'glibc' ? libc.version : undefined),
};

export function checkVersion({ facts, tree }: InspectedImage, { of, min, max, required }: Of<'version'>): Finding {
  const version = versionOf[of](facts);
  if (version === undefined) return required ? missing(`no ${of} was found`, tree) : notApplicable(`there is no ${of}`);
  if (min !== undefined && compareVersions(version, min) < 0) return fail(`${of} is ${version}, older than ${min}`);
  if (max !== undefined && compareVersions(version, max) > 0) return fail(`${of} is ${version}, newer than ${max}`);
  return pass(`${of} ${version}`);
}

export function checkPackages({ facts, tree }: InspectedImage, { anyOf }: Of<'packages'>): Finding {
  const found: string[] = [];
  for (const choice of anyOf) {
    const wanted = choice
      .map((it) => /^(.+?)(?:>=(.+))?$/.exec(it))
      .map((it) => ({ name: it?.[1] ?? '', min: it?.[2] }));
    const there = facts.packages.filter((it) => wanted.some(({ name }) => packageKey(name) === packageKey(it.name)));
    const fitting = there.find((it) =>
      wanted.some(
        ({ name, min }) =>
          packageKey(name) === packageKey(it.name) && (min === undefined || compareVersions(it.version, min) >= 0),
      ),
    );
    if (fitting) found.push(`${fitting.name} ${fitting.version}`);
    else if (there[0]) return fail(`${there[0].name} is ${there[0].version}, and ${choice.join(' or ')} is needed`);
    else if (tree.entries.has('var/lib/rpm')) return unknown('packages of rpm are not read');
    else return missing(`there is no ${choice.join(' or ')}`, tree);
  }
  return pass(found.join(', '));
}

export function checkArchitecture(image: InspectedImage, { only }: Of<'architecture'>): Finding {
  const { platform, facts, tree } = image;
  const [, arch = ''] = platform.split('/');
  if (only && !only.includes(arch)) return fail(`the image is for ${arch}, not for ${only.join(' or ')}`);
  const { architectures } = facts;
  if (architectures.length === 0) return unknown('no program was found whose architecture could be told');
  // What runs decides: other programs are carried along at times, for other machines.
  const main = [
    '/bin/sh',
    '/bin/bash',
    ...facts.pythons.map((it) => it.path),
    programOf(image)?.found?.path ?? '/bin/sh',
  ];
  const other = main.map((it) => lookUp(tree, it)).find((it) => it?.elf?.arch !== undefined && it.elf.arch !== arch);
  if (other) return fail(`the image says ${arch}, and /${other.path} is for ${other.elf?.arch ?? 'another'}`, other);
  if (!architectures.includes(arch))
    return fail(`the image says ${arch}, and its programs are for ${architectures.join(', ')}`);
  return pass(`${arch}, and so are its programs`);
}
