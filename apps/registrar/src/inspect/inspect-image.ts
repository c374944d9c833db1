import {
  asFault,
  checkImage,
  describeFault,
  Fault,
  type ImageLayer,
  inspect,
  type LayerFacts,
  noFacts,
  type Profile,
  storable,
} from '@kiln/domain';
import type { LayerReader } from '@kiln/facts';
import { backoffMs } from '@kiln/kit';
import {
  failInspection,
  findLayerFacts,
  type Inspection,
  inspectionAttemptsMax,
  inspectionLeaseSeconds,
  putLayerFacts,
  renewInspection,
  settleInspection,
} from '@kiln/persistence';
import {
  historyOf,
  ociArch,
  platformName,
  type PlatformImage,
  readImagesOf,
  type RegistryClient,
} from '@kiln/registry';
import { accessForDigest } from '@kiln/usecases';
import type { RegisterDeps } from '../deps.ts';

/** How long all layers of an image may take. */
const wholeMs = 30 * 60_000;
/** Entries and packages of all layers that are held at once; a layer that has more than are left is left out. */
const itemsMax = 40_000;
/** More than any engine makes. */
const layersMax = 200;

export interface InspectDeps extends Pick<RegisterDeps, 'db' | 'sealer' | 'registries' | 'log'> {
  reader: LayerReader;
  profiles: readonly Profile[];
}

/** A layer that registries do not hold, or for which there is no room. */
const unknownLayer: LayerFacts = { ...noFacts(), cut: true };

async function findImage(client: RegistryClient, claim: Inspection): Promise<PlatformImage> {
  const { repository, reference, arch } = claim;
  const { name, images, platforms } = await readImagesOf(client, repository, reference);
  const image = images.find((it) => arch === null || it.platform.architecture === ociArch(arch));
  if (!image)
    throw new Fault(
      'ArchMismatch',
      `${name} is for ${platforms.map(platformName).join(', ') || 'no platform'}, not for ${arch ?? 'any'}`,
    );
  return image;
}

/** Reads the layers that are not known yet, one after the other, and keeps what they tell. */
async function readLayers(
  { db, reader }: InspectDeps,
  client: RegistryClient,
  claim: Inspection,
  { manifest, config }: PlatformImage,
  signal: AbortSignal,
): Promise<ImageLayer[]> {
  const { accountId, repository } = claim;
  if (manifest.layers.length > layersMax)
    throw new Fault('LayerUnreadable', `the image has ${manifest.layers.length} layers, more than ${layersMax}`);
  let room = itemsMax;
  const instructions = historyOf(config, manifest).filter((it) => it.digest !== undefined);
  const layers: ImageLayer[] = [];
  for (const [n, layer] of manifest.layers.entries()) {
    const { digest, size, mediaType } = layer;
    let facts = /foreign|nondistributable/.test(mediaType) ? unknownLayer : await findLayerFacts(db, accountId, digest);
    if (!facts) {
      const bytes = await client.openBlob(repository, digest, signal);
      try {
        facts = await reader.read(bytes, layer, signal);
      } finally {
        bytes.destroy();
      }
      await putLayerFacts(db, { accountId, digest, facts });
    }
    const { entries, whiteouts, opaque, packages } = facts;
    room -= entries.length + whiteouts.length + opaque.length;
    room -= packages.reduce((sum, it) => sum + it.packages.length, 0);
    const kept = room >= 0 ? facts : { ...unknownLayer, files: facts.files, bytes: facts.bytes };
    layers.push({ digest, size, instruction: instructions[n]?.instruction ?? '', facts: kept });
  }
  return layers;
}

const closed = describeFault(new Fault('ServiceUnavailable', 'the registrar was stopped'), 'verify', 0);

/** Reads what is in an image, without running anything of it, and holds it against the profiles. */
export async function inspectImage(deps: InspectDeps, claim: Inspection, closing: AbortSignal): Promise<void> {
  const { db, log, sealer, registries, profiles } = deps;
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, closing, AbortSignal.timeout(wholeMs)]);
  const renew = () =>
    renewInspection(db, claim).then(
      (held) => held || stop.abort(),
      () => undefined,
    );
  const renewing = setInterval(() => void renew(), (inspectionLeaseSeconds * 1000) / 3);
  try {
    const client = registries.for(await accessForDigest(db, sealer, claim));
    const image = await findImage(client, claim);
    const layers = await readLayers(deps, client, claim, image, signal);
    const {
      User = '',
      WorkingDir = '',
      Entrypoint = [],
      Cmd = [],
      Env = [],
      ExposedPorts = {},
      Volumes = {},
      Labels = {},
    } = image.config.config ?? {};
    const platform = platformName(image.platform);
    const inspected = inspect(platform, layers, {
      user: storable(User),
      workingDir: storable(WorkingDir),
      entrypoint: Entrypoint.map(storable),
      cmd: Cmd.map(storable),
      env: Env.map(storable),
      ports: Object.keys(ExposedPorts).map(storable),
      volumes: Object.keys(Volumes).map(storable),
      labels: Object.fromEntries(Object.entries(Labels).map((it) => it.map(storable) as [string, string])),
    });
    const results = profiles.map((it) => ({
      profile: it.name,
      title: it.title,
      version: it.version,
      notes: it.notes,
      checks: checkImage(inspected, it),
    }));
    const { packages, ...facts } = inspected.facts;
    await settleInspection(db, claim, { digest: image.fetched.digest, platform, facts, results, packages });
    log.info({ inspectionId: claim.id, packages: packages.length }, 'image read');
  } catch (error) {
    // Whoever closes leaves it to the next one.
    if (closing.aborted) return void (await failInspection(db, claim, closed, 0));
    const fault = signal.aborted ? new Fault('LayerUnreadable', 'its layers take too long to read') : asFault(error);
    const mayPass =
      ['RegistryUnreachable', 'InternalError'].includes(fault.code) && claim.attempt < inspectionAttemptsMax;
    log.warn({ inspectionId: claim.id, code: fault.code, err: fault.cause }, fault.message);
    await failInspection(
      db,
      claim,
      describeFault(fault, 'verify', claim.attempt),
      mayPass ? backoffMs(claim.attempt, 5000, 300_000) : undefined,
    );
  } finally {
    clearInterval(renewing);
  }
}
