import { compressionOf, type ImageStep } from '@kiln/domain';
import type { z } from 'zod';
import type { configSchema, Manifest } from '../client/manifests.ts';

const instructionMax = 500;
const stepsMax = 500;

/** What builders write before the words of the Dockerfile; PostgreSQL takes no NUL. */
const plain = (text: string): string =>
  text
    .replace(/^\/bin\/sh -c (?:#\(nop\)\s*)?/, (shell) => (shell.includes('nop') ? '' : 'RUN '))
    .replace(/^RUN (?:\|\d+ .*? )?\/bin\/sh -c /, 'RUN ')
    .replace(/ # buildkit$/, '')
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, '')
    .slice(0, instructionMax)
    .toWellFormed();

const layerFacts = ({ digest, size, mediaType }: Manifest['layers'][number]) => ({
  digest,
  size,
  compression: compressionOf(mediaType),
});

/** Puts a config's history and a manifest's layers together; what does not fit together is left out. */
export function historyOf({ history = [] }: z.output<typeof configSchema>, { layers }: Manifest): ImageStep[] {
  const layered = history.filter((it) => !it.empty_layer);
  if (layered.length !== layers.length)
    return layers.slice(0, stepsMax).map((it) => ({ instruction: '', ...layerFacts(it) }));
  const left = [...layers];
  const steps = history.map(({ created_by = '', empty_layer }) => {
    const layer = empty_layer ? undefined : left.shift();
    return { instruction: plain(created_by), ...(layer ? layerFacts(layer) : {}) };
  });
  return steps.slice(-stepsMax);
}
