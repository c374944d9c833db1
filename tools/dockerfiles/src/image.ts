import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { retry } from '@kiln/kit';
import { extract } from 'tar-stream';

/** An entry of a layer, as text: type, mode, owner, attributes, where a link leads, and what is in it. */
type Entry = string;

/** What two images have in common when they are the same but for times. */
export interface ComparableImage {
  manifestType: string;
  config: unknown;
  layers: { type: string; entries: Entry[] }[];
}

interface Descriptor {
  mediaType: string;
  digest: string;
}

const types = ['application/vnd.oci.image.manifest.v1+json', 'application/vnd.docker.distribution.manifest.v2+json'];

/** What says when an image was made, or what its compressed bytes are. */
const ofTimes = new Set(['created', 'diff_ids']);

const withoutTimes = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(withoutTimes);
  if (value === null || typeof value !== 'object') return value;
  const kept = Object.entries(value).filter(([key]) => !ofTimes.has(key));
  return Object.fromEntries(kept.map(([key, it]) => [key, withoutTimes(it)]));
};

const timesOfTar = new Set(['mtime', 'atime', 'ctime', 'size', 'path', 'linkpath']);

async function readLayer(body: Readable, isCompressed: boolean): Promise<Entry[]> {
  const entries: Entry[] = [];
  const tar = extract();
  const read = async (): Promise<void> => {
    for await (const entry of tar) {
      const { name, type, mode, uid, gid, linkname, devmajor, devminor, pax } = entry.header;
      const hash = createHash('sha256');
      for await (const it of entry) hash.update(it as Buffer);
      const attributes = Object.entries(pax ?? {}).filter(([key]) => !timesOfTar.has(key));
      const device = type?.endsWith('device') ? `${devmajor}:${devminor}` : '';
      const content = type === 'file' ? hash.digest('hex') : '';
      entries.push(
        [name, type, (mode ?? 0).toString(8), uid, gid, linkname, device, content, JSON.stringify(attributes.sort())]
          .map((it) => it ?? '')
          .join(' | '),
      );
    }
  };
  await Promise.all([isCompressed ? pipeline(body, createGunzip(), tar) : pipeline(body, tar), read()]);
  return entries;
}

/** Reads an image from a registry without credentials. */
export async function readImage(host: string, repository: string, reference: string): Promise<ComparableImage> {
  const getOnce = async (path: string) => {
    const answer = await fetch(`http://${host}/v2/${repository}/${path}`, { headers: { accept: types.join(', ') } });
    if (!answer.ok) throw new Error(`${path} of ${repository}: HTTP ${answer.status}`);
    return answer;
  };
  // The registry answers 500 for a moment while another push writes the same link.
  const get = (path: string) => retry(() => getOnce(path), { tries: 3, pauseMs: () => 200 });
  const manifest = (await (await get(`manifests/${reference}`)).json()) as {
    mediaType: string;
    config: Descriptor;
    layers: Descriptor[] | null;
  };
  const config = withoutTimes(await (await get(`blobs/${manifest.config.digest}`)).json());
  const layers = [];
  for (const { mediaType, digest } of manifest.layers ?? []) {
    const { body } = await get(`blobs/${digest}`);
    const bytes = Readable.fromWeb(body as ReadableStream);
    layers.push({ type: mediaType, entries: await readLayer(bytes, mediaType.includes('gzip')) });
  }
  return { manifestType: manifest.mediaType, config, layers };
}
