import { cudaInUse, type InspectedImage } from '../facts/image-facts.ts';
import { compareVersions } from '../facts/versions.ts';
import { fail, type Finding, notApplicable, pass, unknown } from './findings.ts';
import type { Check } from './profile.ts';

/**
 * The oldest driver for Linux that runs a CUDA: from 11 on, one for all of a major version. NVIDIA, CUDA Compatibility,
 * "Minor Version Compatibility" (2026-09-09), and for those before 10 CUDA Toolkit Release Notes.
 */
const oldestDrivers: [cuda: string, driver: string][] = [
  ['13.0', '580'],
  ['12.0', '525'],
  ['11.0', '450'],
  ['10.2', '440.33'],
  ['10.1', '418.39'],
  ['10.0', '410.48'],
  ['9.2', '396.26'],
  ['9.1', '390.46'],
  ['9.0', '384.81'],
  ['8.0', '375.26'],
];

/** In a container: brings a newer libcuda, which some GPUs' older drivers take. */
const compatible = /^usr\/local\/cuda[^/]*\/compat\/libcuda\.so\./;

export function checkDriver({ facts, tree }: InspectedImage, { nvidia }: Extract<Check, { kind: 'driver' }>): Finding {
  const cuda = cudaInUse(facts);
  if (cuda === undefined) return notApplicable('there is no CUDA');
  if (nvidia === undefined)
    return notApplicable(`CUDA ${cuda}; which driver the GPUs have was not told (KILN_GPU_DRIVER)`);
  const needed = oldestDrivers.find(([version]) => compareVersions(cuda, version) >= 0)?.[1];
  if (needed === undefined) return unknown(`which driver CUDA ${cuda} needs is not known`);
  if (compareVersions(nvidia, needed) >= 0) return pass(`CUDA ${cuda} needs driver ${needed}, and ${nvidia} is there`);
  const found = `CUDA ${cuda} needs driver ${needed}, and the GPUs have ${nvidia}`;
  const hasCompatible = [...tree.entries.keys()].some((it) => compatible.test(it));
  return hasCompatible ? unknown(`${found}; the compatible libcuda in it may make up for that`) : fail(found);
}
