import { readFileSync, statSync } from 'node:fs';
import { isAbsolute, join, relative, resolve, sep } from 'node:path';
import type { CreateImageBuildBody } from '@kiln/contract';
import { bytesIn, contextName, isGitUrl, parseObjectAddress } from '@kiln/domain';
import { send } from '../api.ts';
import type { BuildOptions } from '../commands/build-options.ts';
import { CommandError } from '../exit.ts';
import type { Profile } from '../profile.ts';
import { amount, dim, seconds, yellow } from '../show/style.ts';
import { scanFolder } from './scan-folder.ts';
import { sendFolder } from './send-folder.ts';

const say = (text: string): void => void process.stderr.write(`${text}\n`);

async function readStdin(): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const it of process.stdin) chunks.push(it as Buffer);
  return Buffer.concat(chunks);
}

/** Where the Dockerfile and the other files come from, as the request says it. */
export type Sources = Pick<CreateImageBuildBody['BuildConfig'], 'Dockerfile' | 'Context'>;

/** The first bytes of a tar, or of what may be packed one. */
const isArchive = (bytes: Buffer): boolean =>
  bytes.subarray(257, 262).toString() === 'ustar' ||
  (bytes[0] === 0x1f && bytes[1] === 0x8b) ||
  (bytes.length > 4 && bytes.readUInt32LE(0) === 0xfd2fb528);

async function fromStdin(profile: Profile, file: string | undefined): Promise<Sources> {
  const bytes = await readStdin();
  if (!isArchive(bytes)) return { Dockerfile: bytes.toString('utf8') };
  const response = await send(profile, '/api/v1/contexts', {
    method: 'POST',
    headers: { 'content-type': 'application/x-tar' },
    body: new Uint8Array(bytes),
  });
  const { Id } = (await response.json()) as { Id: string };
  return { Context: { Type: 'Upload', Id, ...(file === undefined ? {} : { Dockerfile: file }) } };
}

/**
 * Sends a folder and says what it was.
 * @param dockerfile path in it; undefined for a folder without one
 * @returns the context's id
 */
async function sendTree(
  profile: Profile,
  path: string,
  dockerfile: string | undefined,
  isQuiet: boolean,
): Promise<string> {
  const root = resolve(path);
  const began = Date.now();
  const { entries, ignoreFile, skipped } = await scanFolder(root, dockerfile);
  for (const it of skipped) say(yellow(`kiln: ${it} is neither file, folder nor link, and is left out`));
  const isSeen = process.stderr.isTTY && !isQuiet;
  let sentAll = 0;
  const Id = await sendFolder(profile, root, entries, (sent, all) => {
    sentAll = Math.max(sentAll, sent);
    if (isSeen && all > 1 << 20)
      process.stderr.write(`\r\x1b[K${bar(sent, all)} sending ${amount(sent)} of ${amount(all)}`);
  });
  if (isSeen) process.stderr.write('\r\x1b[K');
  if (!isQuiet)
    say(
      dim(
        `kiln: context ${path}: ${entries.length === 1 ? '1 file' : `${entries.length} files and folders`}, ${amount(bytesIn(entries))}${ignoreFile === undefined ? '' : ` (${ignoreFile})`}; sent ${amount(sentAll)} in ${seconds(Date.now() - began)}`,
      ),
    );
  return Id;
}

async function fromFolder(
  profile: Profile,
  path: string,
  file: string | undefined,
  isQuiet: boolean,
): Promise<Sources> {
  const root = resolve(path);
  const given = file === undefined || file === '-' ? undefined : resolve(file);
  const within = given === undefined ? 'Dockerfile' : relative(root, given).split(sep).join('/');
  const isWithin = !within.startsWith('../') && !isAbsolute(within);
  const text =
    file === '-'
      ? (await readStdin()).toString('utf8')
      : isWithin
        ? undefined
        : readText(given ?? '', 'the Dockerfile');
  if (text === undefined) readText(join(root, within), 'the Dockerfile');
  const Id = await sendTree(profile, path, isWithin ? within : 'Dockerfile', isQuiet);
  return {
    ...(text === undefined ? {} : { Dockerfile: text }),
    Context: { Type: 'Upload', Id, ...(text === undefined ? { Dockerfile: within } : {}) },
  };
}

const bar = (done: number, all: number): string => {
  const full = Math.round((done / Math.max(all, 1)) * 20);
  return `[${'█'.repeat(full)}${'░'.repeat(20 - full)}]`;
};

function readText(file: string, what: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    throw new CommandError(`${what} ${file} cannot be read`, 2, '-f names another one');
  }
}

type AddressOptions = Pick<BuildOptions, 'file' | 'submodules' | 'lfs' | 'digest'>;

/** An address that is none, or a kind of address that nobody fetches. */
const isAddress = (path: string): boolean => /^[a-z0-9-]+:\/\/|^[\w.-]+@[\w.-]+:/.test(path);

const noAddress = (path: string) =>
  new CommandError(
    `${path} is no address of a repository or an archive`,
    2,
    'a repository is at https://, ssh:// or user@host:path, an archive at https://, s3://, oss:// or obs://',
  );

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

/** What the api fetches itself; the Dockerfile is there, too. @returns undefined for a path */
function fromAddress(url: string, { file, submodules, lfs, digest }: AddressOptions): Sources | undefined {
  const dockerfile = file === undefined ? {} : { Dockerfile: file };
  // As docker has it: what is packed is an archive, and everything else at an address is a repository.
  if (parseObjectAddress(url) && (!url.startsWith('https:') || /\.(?:tar|tgz|tar\.(?:gz|zst))(?:\?|$)/.test(url)))
    return {
      Context: { Type: 'Object', Url: url, ...dockerfile, ...(digest === undefined ? {} : { Digest: digest }) },
    };
  if (!isGitUrl(url)) return undefined;
  const more = { ...(submodules ? { Submodules: true } : {}), ...(lfs ? { Lfs: true } : {}) };
  return { Context: { Type: 'Git', Url: url, ...dockerfile, ...more } };
}

/**
 * Sends what is at a path of the command line.
 * @throws CommandError
 */
export async function sourcesOf(
  profile: Profile,
  path: string,
  options: AddressOptions & Pick<BuildOptions, 'quiet'>,
): Promise<Sources> {
  const { file, quiet } = options;
  if (path === '-') return fromStdin(profile, file);
  const address = fromAddress(path, options);
  if (address) return address;
  if (isAddress(path)) throw noAddress(path);
  if (!isFolder(path)) throw new CommandError(`${path} is no folder`);
  return fromFolder(profile, path, file, quiet === true);
}

export type NamedContexts = NonNullable<CreateImageBuildBody['BuildConfig']['NamedContexts']>;

/**
 * What `--build-context` names, each `name=source`; folders are sent.
 * @throws CommandError
 */
export async function namedContextsOf(
  profile: Profile,
  given: readonly string[],
  isQuiet: boolean,
): Promise<NamedContexts> {
  const named: NamedContexts = {};
  for (const it of given) {
    const [, name = '', source = ''] = /^([^=]+)=(.+)$/.exec(it) ?? [];
    if (name === '') throw new CommandError(`--build-context ${it}: write NAME=SOURCE`);
    const [, image] = /^docker-image:\/\/(.+)$/.exec(source) ?? [];
    const address = image === undefined ? fromAddress(source, {})?.Context : undefined;
    if (image === undefined && !address && isAddress(source)) throw noAddress(source);
    if (image === undefined && !address && !isFolder(source))
      throw new CommandError(`--build-context ${name}: ${source} is no folder`);
    // A tag may have capitals; what stands before it has none.
    const plain = name.replace(/^[^:@]*(?::\d+\/[^:@]*)?/, (it) => it.toLowerCase());
    named[contextName(plain)] =
      image === undefined
        ? (address ?? { Type: 'Upload', Id: await sendTree(profile, source, undefined, isQuiet) })
        : { Type: 'Image', Uri: image };
  }
  return named;
}
