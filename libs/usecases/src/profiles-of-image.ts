import { type Image } from '@kiln/persistence';

const trueLabels = (labels: Record<string, string>, key: string): boolean =>
  /^(?:true|1|yes)$/i.test(labels[key] ?? '');

/**
 * Which profiles an image is held against when nobody names one: what ModelArts' users say that it is for, or PAI's
 * labels.
 */
export function profilesOfImage(
  { serviceType, services, via }: Pick<Image, 'serviceType' | 'services' | 'via'>,
  labels: Record<string, string>,
): string[] {
  const modelArts = via === 'modelarts' || serviceType !== 'UNKNOWN';
  const wanted = [
    modelArts && (serviceType === 'TRAIN' || serviceType === 'COMMON') && 'modelarts-training',
    modelArts && (serviceType === 'INFERENCE' || serviceType === 'COMMON') && 'modelarts-inference',
    modelArts &&
      (serviceType === 'DEV' ||
        (serviceType !== 'TRAIN' && serviceType !== 'INFERENCE' && services.includes('NOTEBOOK'))) &&
      'modelarts-notebook',
    trueLabels(labels, 'system.supported.dsw') && 'pai-dsw',
    trueLabels(labels, 'system.supported.dlc') && 'pai-dlc',
    trueLabels(labels, 'system.supported.eas') && 'pai-eas',
  ];
  return wanted.filter((it) => it !== false);
}
