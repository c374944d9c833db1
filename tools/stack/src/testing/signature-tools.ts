import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureClientsRoot } from '../debian.ts';
import { asRoot, runQuietly } from '../parts.ts';

/** What people verify signatures with: Debian 13's cosign and oras, against a registry over plain http. */
export interface SignatureTools {
  /**
   * @param image by tag or digest
   * @param publicKey PEM
   * @throws Error with cosign's last words
   */
  verify(image: string, publicKey: string): Promise<unknown>;
  /** Payload of an attestation of this type. @param form of a Sigstore bundle, or cosign's own before version 3 */
  verifyAttestation(image: string, publicKey: string, type: string, form: 'bundle' | 'tag'): Promise<any>;
  /** What refers to an image, as `oras discover` lists it. */
  discover(image: string): Promise<{ manifests: { digest: string; artifactType: string }[] }>;
  close(): void;
}

/** Those who have no log of signatures, and need none with a key that they know. */
const trustedRoot = '{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}';

export async function openSignatureTools(): Promise<SignatureTools> {
  const root = await ensureClientsRoot();
  mkdirSync(join(root, 'tmp'), { recursive: true });
  const dir = mkdtempSync(join(root, 'tmp/kiln-'));
  const inside = dir.slice(root.length);
  writeFileSync(join(dir, 'root.json'), trustedRoot);
  const run = (...command: string[]) => runQuietly(asRoot(['chroot', root, 'env', `HOME=${inside}`, ...command]));
  const withKey = (publicKey: string): string[] => {
    writeFileSync(join(dir, 'key.pub'), publicKey);
    return ['--key', `${inside}/key.pub`, '--insecure-ignore-tlog', '--allow-http-registry'];
  };
  const lastJson = (output: string): unknown => {
    const line = output.split('\n').findLast((it) => /^[[{]/.test(it));
    return JSON.parse(line ?? 'null') as unknown;
  };
  return {
    verify: async (image, publicKey) => lastJson(await run('cosign', 'verify', ...withKey(publicKey), image)),
    async verifyAttestation(image, publicKey, type, form) {
      const bundle = form === 'bundle' ? ['--new-bundle-format', '--trusted-root', `${inside}/root.json`] : [];
      const found = await run('cosign', 'verify-attestation', ...withKey(publicKey), ...bundle, '--type', type, image);
      const { payload } = lastJson(found) as { payload: string };
      return JSON.parse(Buffer.from(payload, 'base64').toString());
    },
    discover: async (image) =>
      JSON.parse(await run('oras', 'discover', '--plain-http', '--format', 'json', image)) as {
        manifests: { digest: string; artifactType: string }[];
      },
    close: () => rmSync(dir, { recursive: true, force: true }),
  };
}
