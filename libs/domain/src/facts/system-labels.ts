import type { Label } from '../images/label.ts';
import { cudaInUse, type ImageFacts } from './image-facts.ts';
import { newestOf, packageKey } from './versions.ts';

/** As PAI writes them. */
const frameworkNames: Record<string, string> = {
  torch: 'PyTorch',
  tensorflow: 'TensorFlow',
  'tensorflow-gpu': 'TensorFlow',
  mindspore: 'MindSpore',
  paddlepaddle: 'PaddlePaddle',
  'paddlepaddle-gpu': 'PaddlePaddle',
  xgboost: 'XGBoost',
  vllm: 'vLLM',
};

/** Major and minor: 3.11.9 is 3.11. */
const minor = (version: string | undefined): string | undefined => /^\d+(?:\.\d+)?/.exec(version ?? '')?.[0];

/** PAI's labels of an image, as far as its facts tell them. */
export function systemLabels(facts: Omit<ImageFacts, 'packages'>): Label[] {
  const { os, pythons, frameworks } = facts;
  const [framework] = frameworks.filter((it) => frameworkNames[packageKey(it.name)] !== undefined);
  const cudaVersion = minor(cudaInUse(facts));
  const all: [string, string | undefined][] = [
    ['system.chipType', cudaVersion && 'GPU'],
    ['system.dsw.cudaVersion', cudaVersion],
    ['system.dsw.os', os?.id],
    ['system.dsw.osVersion', os?.version],
    [
      'system.framework',
      framework && `${frameworkNames[packageKey(framework.name)]} ${framework.version.replace(/\+.*/, '')}`,
    ],
    ['system.pythonVersion', minor(newestOf(pythons.map((it) => it.version)))],
  ];
  return all.flatMap(([key, value]) => (value ? [{ key, value }] : []));
}

/** What a client claims by a label, and the facts deny. */
export interface DeniedClaim {
  key: string;
  claimed: string;
  found: string;
}

/** A claim may say less than the facts, or more: 12 and 12.4.1 are both 12.4. */
const agree = (a: string, b: string): boolean => {
  const [claimed, found] = [a, b].map((it) => it.trim().toLowerCase());
  return claimed === found || `${found}.`.startsWith(`${claimed}.`) || `${claimed}.`.startsWith(`${found}.`);
};

/** @param labels of the image */
export const deniedClaims = (labels: readonly Label[], facts: Omit<ImageFacts, 'packages'>): DeniedClaim[] =>
  systemLabels(facts).flatMap(({ key, value }) => {
    const claimed = labels.find((it) => it.key === key)?.value;
    return claimed === undefined || agree(claimed, value) ? [] : [{ key, claimed, found: value }];
  });
