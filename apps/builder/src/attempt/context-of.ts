import { type ContextStore } from '@kiln/contexts';
import { below, Fault, ignoreFilesOf, readIgnoreRules, withoutIgnored } from '@kiln/domain';
import { type ContextFiles } from '@kiln/engine';
import { type Build } from '@kiln/persistence';

/** The most of an ignore file that is read, in bytes. */
const ignoreBytesMax = 1 << 18;

interface AttemptLog {
  write(line: string): Promise<void>;
}

/**
 * The files that a build copies from, without those that its ignore file leaves out.
 * @returns undefined for a build without a context
 * @throws Fault ContextNotFound, ContextInvalid
 */
export async function contextOf(
  store: ContextStore | undefined,
  { accountId, request: { context } }: Pick<Build, 'accountId' | 'request'>,
  log: AttemptLog,
): Promise<ContextFiles | undefined> {
  if (!context) return undefined;
  if (!store) throw new Fault('ContextNotFound', 'this builder sees no build contexts (KILN_CONTEXT_DIR)');
  const read = (sha256: string) => store.read(accountId, sha256);
  const all = below(await store.entries(accountId, context.id), context.subPath ?? '');
  const dockerfile = context.dockerfile ?? 'Dockerfile';
  const ignoreFile = ignoreFilesOf(dockerfile)
    .map((path) => all.find((it) => it.path === path && it.type === 'file'))
    .find((it) => it !== undefined);
  if (ignoreFile?.type !== 'file') return { entries: all, read };
  if (ignoreFile.size > ignoreBytesMax)
    throw new Fault('ContextInvalid', `${ignoreFile.path} has more than ${ignoreBytesMax} bytes`);
  const text = Buffer.concat((await read(ignoreFile.sha256).toArray()) as Buffer[]).toString('utf8');
  const entries = withoutIgnored(all, readIgnoreRules(text));
  await log.write(
    `kiln: ${ignoreFile.path} leaves out ${all.length - entries.length} of ${all.length} files and folders`,
  );
  return { entries, read };
}
