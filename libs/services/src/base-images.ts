import { type BaseImage, type Engine, type EngineCall, type ParsedDockerfile, stepDetails } from '@kiln/engine';
import { type GatewaySource, type RegistryAccess, type RegistryClients, withGateway } from '@kiln/registry';
import { Fault, parseImageName } from '@kiln/schemas';

/** An image that a build starts from, and where it is read from. */
export type FoundBase = BaseImage & GatewaySource;

const accessOf = (host: string, known: readonly RegistryAccess[]): RegistryAccess =>
  known.find((it) => it.host === host) ?? { host, tlsMode: 'verify' };

/** Where the images that a Dockerfile names are read from. */
export const sourcesOf = (parsed: ParsedDockerfile, known: readonly RegistryAccess[]): GatewaySource[] =>
  parsed.images.map(parseImageName).map(({ host, repository }) => ({ access: accessOf(host, known), repository }));

/**
 * Asks, with this build's own credentials and anew for each build, what every image that the Dockerfile names is at this moment: who
 * may not see an image cannot build from it, however often others did here.
 * @throws Fault BaseImageNotFound, BaseImageDenied with the step; RegistryUnreachable
 */
export async function findBases(
  registries: RegistryClients,
  parsed: ParsedDockerfile,
  known: readonly RegistryAccess[],
): Promise<FoundBase[]> {
  const found: FoundBase[] = [];
  for (const name of new Set(parsed.images)) {
    const { host, repository, reference } = parseImageName(name);
    const access = accessOf(host, known);
    const step = parsed.steps.find((it) => it.text.includes(name) || it.flags.some(({ value }) => value === name));
    const details = step ? stepDetails(step) : {};
    const where = step ? `line ${step.lines[0]}: ` : '';
    const digest = await registries
      .for(access)
      .headManifest(repository, reference)
      .catch((error: unknown) => {
        if (!(error instanceof Fault)) throw error;
        const code = error.code === 'RegistryDenied' ? 'BaseImageDenied' : error.code;
        throw new Fault(code, `${where}base image ${name}: ${error.message}`, details, error.cause);
      });
    if (digest === undefined)
      throw new Fault('BaseImageNotFound', `${where}there is no image ${host}/${repository}:${reference}`, details);
    if (reference.startsWith('sha256:') && digest !== reference)
      throw new Fault(
        'ManifestInvalid',
        `${where}registry ${host} says that ${name} has the digest ${digest.slice(0, 100)}`,
        details,
      );
    found.push({ name, id: `${host}/${repository}@${digest}`, access, repository });
  }
  return found;
}

/** Makes sure that the engine has a build's bases. */
export async function fetchBases(
  registries: RegistryClients,
  engine: Engine,
  bases: readonly FoundBase[],
  call: EngineCall & { carried?: (bytes: number) => void },
): Promise<void> {
  for (const { id, access, repository } of bases) {
    if (await engine.hasBase(id)) continue;
    const { signal, carried } = call;
    const from = { sources: [{ access, repository }], signal, ...(carried ? { carried } : {}) };
    await withGateway(registries, from, ({ socket: gateway }) => engine.fetchBase(id, { ...call, gateway }));
  }
}
