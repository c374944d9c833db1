import {
  asFault,
  checkImage,
  describeFault,
  Fault,
  type ImageLayer,
  inspect,
  type LayerFacts,
  type Profile,
} from '@kiln/domain';
import { type LayerReader } from '@kiln/facts';
import { backoffMs } from '@kiln/kit';
import {
  failInspection,
  findLayerFacts,
  type Inspection,
  inspectionLeaseSeconds,
  putLayerFacts,
  renewInspection,
  settleInspection,
} from '@kiln/persistence';
import { historyOf, ociArch, platformName, type PlatformImage, readImages, type RegistryClient } from '@kiln/registry';
import { accessForImage } from '@kiln/usecases';
import { type RegisterDeps } from '../deps.ts';

/** How long all layers of an image may take. */
const wholeMs = 30 * 60_000;
const attemptsMax = 5;
/** Entries and packages of all layers that are held at once; a layer that has more than are left is left out. */
const itemsMax = 90_000;

export interface InspectDeps extends Pick<RegisterDeps, 'db' | 'sealer' | 'registries' | 'log'> {
  reader: LayerReader;
  profiles: readonly Profile[];
}

/** Of a layer that registries do not hold, nothing is known. */
const notHeld: LayerFacts = {
  entries: [],
  packages: [],
  texts: [],
  secrets: [],
  largest: [],
  whiteouts: [],
  opaque: [],
  files: 0,
  bytes: 0,
  cut: true,
};

async function findImage(client: RegistryClient, claim: Inspection): Promise<PlatformImage> {
  const { repository, reference, arch } = claim;
  const manifest = await client.getManifest(repository, reference);
  const name = `${client.host}/${repository}${reference.startsWith('sha256:') ? '@' : ':'}${reference}`;
  if (!manifest) throw new Fault('ImagePathNotFound', `there is no image ${name}`);
  const { images, platforms } = await readImages(client, repository, manifest, name);
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
  let room = itemsMax;
  const instructions = historyOf(config, manifest).filter((it) => it.digest !== undefined);
  const layers: ImageLayer[] = [];
  for (const [n, layer] of manifest.layers.entries()) {
    const { digest, size, mediaType } = layer;
    let facts = /foreign|nondistributable/.test(mediaType) ? notHeld : await findLayerFacts(db, accountId, digest);
    if (!facts) {
      const bytes = await client.openBlob(repository, digest, signal);
      try {
        facts = await reader.read(bytes, layer, signal);
      } finally {
        bytes.destroy();
      }
      await putLayerFacts(db, { accountId, digest, facts });
    }
    room -= facts.entries.length + facts.packages.reduce((sum, it) => sum + it.packages.length, 0);
    const kept = room >= 0 ? facts : { ...facts, entries: [], packages: [], texts: [], cut: true };
    layers.push({ digest, size, instruction: instructions[n]?.instruction ?? '', facts: kept });
  }
  return layers;
}

/** Reads what is in an image, without running anything of it, and holds it against the profiles. */
export async function inspectImage(deps: InspectDeps, claim: Inspection): Promise<void> {
  const { db, log, sealer, registries, profiles } = deps;
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(wholeMs)]);
  const renew = () =>
    renewInspection(db, claim).then(
      (held) => held || stop.abort(),
      () => undefined,
    );
  const renewing = setInterval(() => void renew(), (inspectionLeaseSeconds * 1000) / 3);
  try {
    const client = registries.for(await accessForImage(db, sealer, claim));
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
      user: User,
      workingDir: WorkingDir,
      entrypoint: Entrypoint,
      cmd: Cmd,
      env: Env,
      ports: Object.keys(ExposedPorts),
      volumes: Object.keys(Volumes),
      labels: Labels,
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
    const fault = asFault(error);
    const mayPass = ['RegistryUnreachable', 'InternalError'].includes(fault.code) && claim.attempt < attemptsMax;
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
