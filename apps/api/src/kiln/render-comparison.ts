import type { inspectionOperations } from '@kiln/contract';
import { type ComparedImage, compareImages, type Difference, type ImageFacts } from '@kiln/domain';
import type { z } from 'zod';
import { optional } from '../http/optional.ts';

/** What is in an image, by whose name it is told. */
export interface ShownContents extends ComparedImage {
  /** With its digest. */
  name: string;
}

const renderDifference = ({ name, now, before }: Difference) => ({
  Name: name,
  ...optional('Now', now),
  ...optional('Before', before),
});
const renderLayer = ({ digest, size, instruction }: ImageFacts['layers'][number]) => ({
  Digest: digest,
  Size: size,
  Instruction: instruction,
});

/** An image beside an older one. */
export function renderComparison(
  now: ShownContents,
  before: ShownContents,
): Omit<z.input<typeof inspectionOperations.CompareImage.reply>, 'RequestId'> {
  const { facts, packages, sizes, sharedLayers, layersNow, layersBefore } = compareImages(now, before);
  return {
    Image: now.name,
    Previous: before.name,
    Packages: packages.map(renderDifference),
    Facts: facts.map(renderDifference),
    SharedLayers: sharedLayers,
    Layers: layersNow.map(renderLayer),
    PreviousLayers: layersBefore.map(renderLayer),
    SizeInBytes: sizes.now.compressed,
    PreviousSizeInBytes: sizes.before.compressed,
    UnpackedInBytes: sizes.now.unpacked,
    PreviousUnpackedInBytes: sizes.before.unpacked,
    Incomplete: now.facts.cut || before.facts.cut,
  };
}
