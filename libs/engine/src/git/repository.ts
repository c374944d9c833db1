import type { ChildProcess } from 'node:child_process';
import { Readable } from 'node:stream';
import { Fault, isCommit } from '@kiln/domain';
import { readAtMost } from '@kiln/kit';
import type { RoomProgram } from '../jail/exec.ts';

/** What a commit is. */
export interface Commit {
  author: string;
  /** ISO 8601. */
  at: string;
  subject: string;
}

/** A repository inside another one, as its `.gitmodules` has it. */
export interface Submodule {
  path: string;
  url: string;
  commit: string;
}

/** One commit of a repository, fetched to where git runs. */
export interface Repository {
  commit: Commit;
  submodules(): Promise<Submodule[]>;
  /** Its files as a tar. Whoever gets it reads or destroys it. @throws Fault SourceInvalid in the stream */
  archive(): Promise<Readable>;
  close(): Promise<void>;
}

/** Where git runs. */
export interface GitPlace {
  /** Runs a program there; the signal ends it. */
  exec(program: RoomProgram, signal: AbortSignal): Promise<ChildProcess>;
  /** Aborted once there is no such place any more. */
  ended: AbortSignal;
  /** Folder for repositories, as the programs see it. */
  folder: string;
  /** Whether its disk is the build's own: where not, one that is full is none of the build's fault. */
  hasOwnDisk: boolean;
}

export interface RepositoryRequest {
  /** The gateway's, with its password. */
  url: string;
  commit: string;
  signal: AbortSignal;
}

const secondsMax = 900;
const wordsMax = 2000;
// The names of a hundred thousand files, and more.
const printedMax = 64 << 20;

// Nothing of the repository is run, and nothing is written outside of its own folder: no hooks, no filters, no
// credentials, no protocol but the one of the door, and nothing is checked out.
const settings = [
  'core.hooksPath=/dev/null', 'core.fsmonitor=false', 'core.attributesFile=/dev/null', 'credential.helper=',
  'protocol.allow=never', 'protocol.http.allow=always', 'protocol.version=0', 'http.followRedirects=false',
  'transfer.fsckObjects=true', 'fetch.recurseSubmodules=false', 'gc.auto=0', 'maintenance.auto=false',
  'fetch.unpackLimit=1', 'pack.threads=1', 'core.bigFileThreshold=16m', 'tar.umask=0022',
].flatMap((it) => ['-c', it]); // prettier-ignore
const environment = {
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_TERMINAL_PROMPT: '0',
  GIT_NO_REPLACE_OBJECTS: '1',
  GIT_ATTR_NOSYSTEM: '1',
  HOME: '/nonexistent',
};

// Those of a builder that ended without a word are removed by the next one. `export-ignore` would leave files out that
// a checkout has.
const prepare = `set -e
find "$1" -maxdepth 1 -name 'git-*' -mmin +60 -exec rm -rf {} +
dir=$(mktemp -d "$1/git-XXXXXX")
git init -q --bare "$dir"
echo '* -export-ignore -export-subst' > "$dir/info/attributes"
echo "$dir"`;

/** What a program prints, which is whole only when the program has ended well. @throws Fault with its last words */
async function* wholeOutput(child: ChildProcess, signal: AbortSignal, hasOwnDisk: boolean): AsyncGenerator<Buffer> {
  const ended = new Promise<number | Error | null>((resolve) => child.once('close', resolve).once('error', resolve));
  let words = '';
  child.stderr?.on('data', (bytes: Buffer) => (words = (words + bytes.toString()).slice(-wordsMax)));
  for await (const bytes of child.stdout ?? []) yield bytes as Buffer;
  const code = await ended;
  signal.throwIfAborted();
  if (code instanceof Error) throw new Fault('EngineFailed', `git could not be started: ${code.message}`, {}, code);
  if (code !== 0) throw gitFault(code, words, hasOwnDisk);
}

/** Runs a program to its end. @throws Fault SourceInvalid with its last words */
async function finish(child: ChildProcess, signal: AbortSignal, hasOwnDisk: boolean): Promise<string> {
  const tooLong = () => new Fault('SourceInvalid', 'git lists more than can be looked at');
  return (await readAtMost(wholeOutput(child, signal, hasOwnDisk), printedMax, tooLong)).toString();
}

function gitFault(code: number | null, words: string, hasOwnDisk: boolean): Fault {
  const said = words.trim().split('\n').slice(-3).join(' / ').slice(-500).toWellFormed() || 'it said nothing';
  if (code === 124) return new Fault('SourceUnreachable', `git was not done after ${secondsMax} s: ${said}`);
  if (code === 126 || code === 127) return new Fault('EngineFailed', `git could not be started: ${said}`);
  if (/no space left/i.test(said))
    return hasOwnDisk
      ? new Fault('ContextTooLarge', 'the repository needs more disk than the build has')
      : new Fault('BuilderDiskFull', `the builder's disk is full: ${said}`);
  if (/file size limit|file too large/i.test(said) || code === 153)
    return new Fault('ContextTooLarge', 'the repository is larger than this builder fetches');
  return new Fault('SourceInvalid', `git: ${said}`);
}

/** @throws Fault SourceInvalid, SourceUnreachable, SourceNotFound */
export async function openRepository(place: GitPlace, { url, commit, signal }: RepositoryRequest): Promise<Repository> {
  if (!isCommit(commit)) throw new Fault('SourceInvalid', `${commit.slice(0, 80)} is no commit`);
  const program = (args: readonly string[], cwd = '/') => ({ args, environment, cwd, secondsMax });
  const run = async (args: readonly string[], cwd?: string) =>
    finish(await place.exec(program(args, cwd), signal), signal, place.hasOwnDisk);
  const dir = (await run(['sh', '-c', prepare, 'prepare', place.folder])).trim();
  const git = (...args: string[]) => run(['git', ...settings, ...args], dir);
  const remove = async (): Promise<void> => {
    const child = await place.exec(program(['rm', '-rf', dir]), place.ended);
    await finish(child, place.ended, place.hasOwnDisk).catch(() => undefined);
  };
  const fetch = async (): Promise<void> => {
    try {
      await git('fetch', '--quiet', '--no-tags', '--depth=1', url, commit);
    } catch (error) {
      signal.throwIfAborted();
      if (!/unadvertised object|not our ref|dumb http|shallow/i.test((error as Error).message)) throw error;
      // A server that gives only what has a name gives what leads to it.
      await git('fetch', '--quiet', '--no-tags', url, '+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*');
    }
  };
  try {
    await fetch();
    const shown = await git('log', '-1', '--no-show-signature', '--format=%an <%ae>%x00%aI%x00%s', commit);
    const [author = '', at = '', subject = ''] = shown.trim().split('\0');
    return {
      commit: { author, at, subject },
      submodules: () => listSubmodules(git, commit),
      async archive() {
        const child = await place.exec(program(['git', ...settings, 'archive', '--format=tar', commit], dir), signal);
        return Readable.from(wholeOutput(child, signal, place.hasOwnDisk), { objectMode: false });
      },
      close: remove,
    };
  } catch (error) {
    if (!place.ended.aborted) await remove();
    throw error;
  }
}

/** Those of `.gitmodules` whose commit the tree names. */
async function listSubmodules(git: (...args: string[]) => Promise<string>, commit: string): Promise<Submodule[]> {
  const tree = await git('ls-tree', '-r', '-z', '--format=%(objectmode) %(objectname) %(path)', commit);
  const commits = new Map(
    tree.split('\0').flatMap((line) => {
      const [, name = '', path = ''] = /^160000 (\S+) (.*)$/s.exec(line) ?? [];
      return name === '' ? [] : [[path, name] as const];
    }),
  );
  if (commits.size === 0) return [];
  const listed = await git(
    'config',
    '--blob',
    `${commit}:.gitmodules`,
    '--null',
    '--get-regexp',
    '^submodule\\..*\\.(path|url)$',
  );
  const modules = new Map<string, { path?: string; url?: string }>();
  for (const entry of listed.split('\0')) {
    const [, name = '', field = '', value = ''] = /^submodule\.(.*)\.(path|url)\n(.*)$/s.exec(entry) ?? [];
    if (field !== '') modules.set(name, { ...modules.get(name), [field]: value });
  }
  return [...modules.values()].flatMap(({ path = '', url = '' }) => {
    const found = commits.get(path);
    return found === undefined ? [] : [{ path, url, commit: found }];
  });
}
