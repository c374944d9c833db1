import {
  Fault,
  formatImageName,
  type ParsedDockerfile,
  parseImageName,
  platformKey,
  type Step,
  stepDetails,
} from '@kiln/domain';
import {
  type FetchedManifest,
  type GatewaySource,
  platformName,
  readImages,
  type RegistryAccess,
  type RegistryClients,
} from '@kiln/registry';
import { LRUCache } from 'lru-cache';

/** An image that a build starts from, and where it is read from. */
export interface FoundBase extends GatewaySource {
  /** As the Dockerfile names it. */
  name: string;
  /** `host/repository@sha256:…` */
  id: string;
  /** The same of the index that it was chosen from, where the name stands for several platforms. */
  index: string | undefined;
  /** `os/architecture` */
  platform: string;
  /** `host/repository:tag`, completed; undefined where it is named by digest. */
  reference: string | undefined;
}

const accessOf = (host: string, known: readonly RegistryAccess[]): RegistryAccess =>
  known.find((it) => it.host === host) ?? { host, tlsMode: 'verify' };

/** `os/architecture` that a step needs an image for: its stage's to start from, the whole build's to copy from. */
const platformOf = (parsed: ParsedDockerfile, { keyword, platform }: Step): string =>
  keyword === 'FROM' ? (platform ?? parsed.platform) : parsed.platform;

export interface BaseImages {
  /**
   * Asks, with this build's own credentials and anew for each build, what every image that the Dockerfile names is at
   * this moment: who may not see an image cannot build from it, however often others did here. Of an image for several
   * platforms, it is the one that the build needs.
   * @throws Fault BaseImageNotFound, BaseImageDenied, ArchMismatch, ManifestInvalid, RegistryRefused with the step;
   * RegistryUnreachable
   */
  find(parsed: ParsedDockerfile, known: readonly RegistryAccess[]): Promise<FoundBase[]>;
}

const rememberedBytesMax = 16 << 20;

/** What images have to be for to run on this machine, in OCI's words. */
export const hostPlatform = `linux/${{ x64: 'amd64', ia32: '386' }[process.arch as string] ?? process.arch}`;

export function openBaseImages(registries: RegistryClients): BaseImages {
  // What a digest holds never changes. Registries count manifests that are read, and most of them not those that are
  // only asked about.
  const resolved = new LRUCache<string, FetchedManifest>({
    maxSize: rememberedBytesMax,
    sizeCalculation: (it) => it.bytes.length + 1,
  });

  /** The manifest of a base's image for a platform. */
  const resolve = async (
    access: RegistryAccess,
    name: string,
    wanted: string,
  ): Promise<{ digest: string | undefined; manifest: FetchedManifest }> => {
    const { host, repository, reference } = parseImageName(name);
    const client = registries.for(access);
    const digest = await client.headManifest(repository, reference);
    if (digest !== undefined && reference.startsWith('sha256:') && digest !== reference)
      throw new Fault('ManifestInvalid', `registry ${host} says that it has the digest ${digest}`);
    const key = `${host}/${repository}@${digest} ${wanted}`;
    const known = resolved.get(key);
    if (known !== undefined) return { digest, manifest: known };
    const fetched = digest === undefined ? undefined : await client.getManifest(repository, digest);
    if (!fetched) throw new Fault('BaseImageNotFound', `there is no image ${host}/${repository}:${reference}`);
    const isWanted = (it: { os: string; architecture: string }) => platformKey(it) === wanted;
    const { images, platforms } = await readImages(client, repository, fetched, name, isWanted);
    const there = [...new Set(platforms.map(platformName))].join(', ') || 'no platform';
    if (!images[0])
      throw new Fault('ArchMismatch', `it is for ${there}, and not for ${wanted}, which this build needs`);
    resolved.set(key, images[0].fetched);
    return { digest, manifest: images[0].fetched };
  };

  return {
    async find(parsed, known) {
      const found: FoundBase[] = [];
      for (const name of parsed.images) {
        const image = parsed.named.get(name) ?? name;
        const parts = parseImageName(image);
        const { host, repository } = parts;
        const reference = parts.reference.startsWith('sha256:') ? undefined : formatImageName(parts);
        const access = accessOf(host, known);
        const steps = parsed.steps.filter(
          (it) => parsed.built.has(it.stage) && (it.from === name || it.uses.includes(name)),
        );
        const firsts = new Map(steps.toReversed().map((it) => [platformOf(parsed, it), it]));
        for (const [platform, step] of firsts) {
          const { digest, manifest } = await resolve(access, image, platform).catch((error: unknown) =>
            inStep(error, name, step),
          );
          const id = `${host}/${repository}@${manifest.digest}`;
          const index = digest === manifest.digest ? undefined : `${host}/${repository}@${digest}`;
          found.push({ name, platform, id, index, reference, access, repository, manifest });
        }
      }
      return found;
    },
  };
}

/** Says of an error in which line of the Dockerfile it has its reason. */
function inStep(error: unknown, name: string, step: Step | undefined): never {
  if (!(error instanceof Fault)) throw error;
  const where = step ? `line ${step.lines[0]}: ` : '';
  const code = error.code === 'RegistryDenied' ? 'BaseImageDenied' : error.code;
  const details = { ...error.details, ...(step ? stepDetails(step) : {}) };
  throw new Fault(code, `${where}base image ${name}: ${error.message}`, details, error.cause);
}
