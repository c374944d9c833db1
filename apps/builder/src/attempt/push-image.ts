import type { Sealer } from '@kiln/auth';
import { type Compression, Fault, stagingTag } from '@kiln/domain';
import type { BuiltImage } from '@kiln/engine';
import { crashPoint } from '@kiln/kit';
import { type Database, noteZstd } from '@kiln/persistence';
import type { Gateway } from '@kiln/registry';
import { accessForBuild, type BuildAccess } from '@kiln/usecases';
import type { HostSettings } from '../host-settings.ts';
import type { Attempt } from './attempt.ts';

/** How a connection wants new layers packed; for one that leaves it open, zstd until its registry has refused that. */
export function compressionFor({ connection, connections }: BuildAccess): Compression {
  const choice = connection?.compression ?? 'gzip';
  const type = choice === 'auto' ? (connection?.takesZstd === false ? 'gzip' : 'zstd') : choice;
  // The account's cache may have layers that were packed for another of its registries.
  const force = type === 'gzip' && connections.some((it) => it.compression !== 'gzip');
  return { type, level: connection?.compressionLevel ?? undefined, force };
}

/** Sends an image to its registry, by digest. */
export async function pushImage(
  deps: { db: Database; sealer: Sealer; host: HostSettings },
  attempt: Attempt,
  image: BuiltImage,
  gateway: Gateway,
): Promise<string> {
  const { build, log, signal } = attempt;
  // Taken anew: a token may have run out, or a password been changed, while the build ran.
  const { target, connection } = await accessForBuild(deps.db, deps.sealer, build);
  attempt.redaction.add([target]);
  const tag = deps.host.stagingTag ? stagingTag : undefined;
  const send = async (compression?: Compression): Promise<string> => {
    gateway.writeTo({ access: target, repository: build.repository, tag });
    try {
      const digest = await image.push(compression);
      // What the engine says that it sent has to be what came.
      if (gateway.pushed === digest) return digest;
    } catch (error) {
      throw signal.aborted ? error : (gateway.fault ?? error);
    }
    throw new Fault('PushFailed', `push to ${build.host}/${build.repository} sent no manifest, or another one`);
  };
  await log.write(`kiln: pushing to ${build.host}/${build.repository}`);
  crashPoint('push-begun');
  if (connection?.compression !== 'auto' || connection.takesZstd !== null) return send();
  // Nobody has sent it such a layer: what it says to the first one is remembered.
  const note = (takesZstd: boolean) => noteZstd(deps.db, build.accountId, connection.id, takesZstd);
  try {
    const digest = await send();
    await note(true);
    return digest;
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== 'RegistryRefused') throw error;
    await log.write(`kiln: ${build.host} refused layers of zstd; sending gzip: ${error.message}`);
    const digest = await send({ type: 'gzip', force: true });
    await note(false);
    return digest;
  }
}
