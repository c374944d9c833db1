import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type EngineRegistry } from '../engine.ts';

const quoted = (text: string): string => JSON.stringify(text);

/** Docker Hub's credentials stand under this name in docker's own file. */
const authKey = (host: string): string => (host === 'docker.io' ? 'https://index.docker.io/v1/' : host);

/**
 * Writes the files from which buildah takes credentials, TLS modes and CAs, for this build alone: the host's own
 * credentials are never used. Credentials stay out of arguments, which every process of the host can read.
 * @returns the arguments that name the files, and `remove`
 */
export async function writeRegistryFiles(
  workDir: string,
  registries: EngineRegistry[],
): Promise<{ global: string[]; perCommand: string[]; remove(): Promise<void> }> {
  const folder = join(workDir, 'registries');
  const certs = join(folder, 'certs');
  const none = join(folder, 'none');
  await mkdir(certs, { recursive: true, mode: 0o700 });
  await mkdir(none);

  const auths = registries.flatMap(({ host, credentials }) =>
    credentials
      ? [
          [
            authKey(host),
            { auth: Buffer.from(`${credentials.username}:${credentials.password.reveal()}`).toString('base64') },
          ] as const,
        ]
      : [],
  );
  await writeFile(join(folder, 'auth.json'), JSON.stringify({ auths: Object.fromEntries(auths) }), { mode: 0o600 });

  const insecure = registries
    .filter((it) => it.tlsMode !== 'verify')
    .map((it) => `[[registry]]\nlocation = ${quoted(it.host)}\ninsecure = true\n`);
  const settings = ['unqualified-search-registries = ["docker.io"]', 'short-name-mode = "disabled"', '', ...insecure];
  await writeFile(join(folder, 'registries.conf'), settings.join('\n'));

  const cas = registries.flatMap((it) => (it.caPem ? [it.caPem] : []));
  await Promise.all(cas.map((pem, index) => writeFile(join(certs, `${index}.crt`), pem)));

  return {
    // An empty folder beside it: the host's own additions do not count.
    global: ['--registries-conf', join(folder, 'registries.conf'), '--registries-conf-dir', none],
    perCommand: ['--authfile', join(folder, 'auth.json'), ...(cas.length > 0 ? ['--cert-dir', certs] : [])],
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
