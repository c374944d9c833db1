/** A label by which users name profiles: `pai-eas, pai-dsw`. */
export const profilesLabel = 'kiln.profiles';

/** What users say that an image is for. */
export interface Purpose {
  serviceType: string;
  services: readonly string[];
  via: 'build' | 'pai' | 'modelarts';
  resourceCategories: readonly string[];
  labels: Readonly<Record<string, string>>;
}

/**
 * Which profiles an image is held against when a call names none: those of its label `kiln.profiles`; otherwise what
 * ModelArts' users say that it is for, or PAI's labels.
 */
export function profilesOfImage({ serviceType, services, via, labels }: Omit<Purpose, 'resourceCategories'>): string[] {
  const named = labels[profilesLabel];
  if (named !== undefined)
    return named
      .split(/[\s,]+/)
      .filter(Boolean)
      .slice(0, 20);
  const modelArts = via === 'modelarts' || serviceType !== 'UNKNOWN';
  const isTrue = (key: string) => /^(?:true|1|yes)$/i.test(labels[key] ?? '');
  const wanted = [
    modelArts && (serviceType === 'TRAIN' || serviceType === 'COMMON') && 'modelarts-training',
    modelArts && (serviceType === 'INFERENCE' || serviceType === 'COMMON') && 'modelarts-inference',
    modelArts &&
      (serviceType === 'DEV' ||
        (serviceType !== 'TRAIN' && serviceType !== 'INFERENCE' && services.includes('NOTEBOOK'))) &&
      'modelarts-notebook',
    isTrue('system.supported.dsw') && 'pai-dsw',
    isTrue('system.supported.dlc') && 'pai-dlc',
    isTrue('system.supported.eas') && 'pai-eas',
  ];
  return wanted.filter((it) => it !== false);
}

/** ModelArts' resource categories of an image; undefined where its users cannot tell any. */
export const categoriesOf = ({ via, resourceCategories }: Purpose): readonly string[] | undefined =>
  via === 'modelarts' ? resourceCategories : undefined;
