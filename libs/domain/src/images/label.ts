/** What owners say of an image; an image has each key once. */
export interface Label {
  key: string;
  value: string;
}

/** Most labels of one image. */
export const labelsMax = 64;

export const asRecord = (labels: readonly Label[]): Record<string, string> =>
  Object.fromEntries(labels.map((it) => [it.key, it.value]));
