import { createHash } from 'node:crypto';
import { createReadStream, statSync } from 'node:fs';
import { Readable } from 'node:stream';

export const manifestType = 'application/vnd.oci.image.manifest.v1+json';
export const digestOf = (data: string) => `sha256:${createHash('sha256').update(data).digest('hex')}`;

interface Blob {
  digest: string;
  size: number;
}

async function upload(host: string, repository: string, body: string | Readable, blob: Blob): Promise<Blob> {
  const registry = `http://${host}`;
  const start = await fetch(`${registry}/v2/${repository}/blobs/uploads/`, { method: 'POST' });
  const location = new URL(start.headers.get('location') ?? '', registry);
  location.searchParams.set('digest', blob.digest);
  const put = await fetch(location, {
    method: 'PUT',
    body: typeof body === 'string' ? body : Readable.toWeb(body),
    headers: { 'content-type': 'application/octet-stream', 'content-length': String(blob.size) },
    duplex: 'half',
  });
  if (put.status !== 201) throw new Error(`blob: ${put.status}`);
  return blob;
}

/** Puts a blob into a registry that speaks plain http and needs no credentials. */
export const pushBlob = (host: string, repository: string, data: string): Promise<Blob> =>
  upload(host, repository, data, { digest: digestOf(data), size: Buffer.byteLength(data) });

/** The same with what a file holds. */
export const pushBlobFile = (host: string, repository: string, file: string, digest: string): Promise<Blob> =>
  upload(host, repository, createReadStream(file), { digest, size: statSync(file).size });

export async function pushManifest(
  host: string,
  repository: string,
  reference: string,
  manifest: object,
  type: string,
): Promise<{ digest: string; size: number }> {
  const text = JSON.stringify(manifest);
  const put = await fetch(`http://${host}/v2/${repository}/manifests/${reference}`, {
    method: 'PUT',
    body: text,
    headers: { 'content-type': type },
  });
  if (put.status !== 201) throw new Error(`manifest: ${put.status} ${await put.text()}`);
  return { digest: digestOf(text), size: Buffer.byteLength(text) };
}

export interface ImageTypes {
  manifest: string;
  config: string;
  layer: string;
}

const ociTypes: ImageTypes = {
  manifest: manifestType,
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
};

/** Pushes a tiny image of one architecture and gives its descriptor. `salt` makes its digest another one. */
export async function pushImage(
  host: string,
  repository: string,
  reference: string,
  architecture: string,
  types: ImageTypes = ociTypes,
  salt = '',
) {
  const layer = await pushBlob(host, repository, `layer for ${architecture}${salt}`);
  const config = await pushBlob(
    host,
    repository,
    JSON.stringify({ os: 'linux', architecture, rootfs: { type: 'layers', diff_ids: [layer.digest] } }),
  );
  const manifest = {
    schemaVersion: 2,
    mediaType: types.manifest,
    config: { mediaType: types.config, ...config },
    layers: [{ mediaType: types.layer, ...layer }],
  };
  return {
    ...(await pushManifest(host, repository, reference, manifest, types.manifest)),
    mediaType: types.manifest,
    total: layer.size + config.size,
  };
}
