import type { Label as PaiLabel } from '@kiln/contract';
import type { Label } from '@kiln/domain';

export const readLabels = (labels: PaiLabel[]): Label[] => labels.map(({ Key, Value }) => ({ key: Key, value: Value }));
export const renderLabels = (labels: Label[]): PaiLabel[] =>
  labels.map(({ key, value }) => ({ Key: key, Value: value }));
