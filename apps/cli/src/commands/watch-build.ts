import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import type { ErrorClass } from '@kiln/domain';
import { type Api, answer } from '../api.ts';
import { exitCodes, exitOf } from '../exit.ts';
import { followBuild, type ShownBuild } from '../follow-build.ts';
import type { Profile } from '../profile.ts';
import { endOf } from '../show/build-end.ts';
import { type BuildProgress, plainProgress, terminalProgress } from '../show/build-progress.ts';

const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** How a build is shown, and where its results are written. */
export interface WatchOptions {
  progress: 'auto' | 'plain' | 'tty' | 'quiet';
  quiet?: boolean;
  metadataFile?: string;
  iidfile?: string;
}

function writeResults({ metadataFile, iidfile }: WatchOptions, build: ShownBuild): void {
  if (iidfile !== undefined) writeFileSync(iidfile, build.Digest ?? '');
  if (metadataFile === undefined) return;
  const metadata = {
    'containerimage.digest': build.Digest,
    'image.name': build.ImageUri,
    'kiln.build.id': build.ImageBuildId,
    ...(build.ImageId === undefined ? {} : { 'kiln.image.id': build.ImageId }),
  };
  writeFileSync(metadataFile, `${JSON.stringify(metadata, null, 2)}\n`);
}

/** Asks what a Ctrl-C was meant for. @returns whether the build is to be cancelled; undefined to go on */
async function askToCancel(): Promise<boolean | undefined> {
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  const text = await asking.question('Cancel the build [c], leave it running [l], or go on [Enter]? ').catch(() => 'c');
  asking.close();
  return /^c/i.test(text.trim()) ? true : /^l/i.test(text.trim()) ? false : undefined;
}

/** Shows a build until its end. @returns how the command is to end */
export async function watchBuild(profile: Profile, api: Api, id: string, options: WatchOptions): Promise<number> {
  const isQuiet = options.quiet === true || options.progress === 'quiet';
  const isDrawn = options.progress === 'tty' || (options.progress === 'auto' && process.stderr.isTTY);
  const open = (): BuildProgress =>
    isQuiet
      ? { build: () => undefined, line: () => undefined, end: () => undefined }
      : isDrawn
        ? terminalProgress(process.stderr)
        : plainProgress(say);
  let progress = open();
  const leaving = new AbortController();
  let isAsked = false;
  let isOver = false;
  const cancel = () =>
    answer(api.POST('/api/v1/imagebuilds/{ImageBuildId}/cancel', { params: { path: { ImageBuildId: id } } }));
  const interrupt = async (): Promise<void> => {
    // A second one while it is asked means it.
    if (isAsked || !process.stdin.isTTY || !process.stderr.isTTY) return void (await cancel().catch(() => undefined));
    isAsked = true;
    progress.end();
    const isToCancel = await askToCancel();
    isAsked = false;
    // It may have ended while that was asked.
    if (isOver) return;
    if (isToCancel === false) return leaving.abort();
    progress = open();
    if (isToCancel === true) await cancel().catch(() => undefined);
  };
  const onInterrupt = (): void => void interrupt();
  process.on('SIGINT', onInterrupt);
  let ended: ShownBuild | undefined;
  try {
    ended = await followBuild(
      profile,
      api,
      id,
      {
        onBuild: (build) => (isAsked ? undefined : progress.build(build)),
        onLine: (line) => (isAsked ? undefined : progress.line(line)),
      },
      leaving.signal,
    );
  } finally {
    isOver = true;
    process.off('SIGINT', onInterrupt);
    if (!isAsked) progress.end();
  }
  if (!ended) {
    say(`build ${id} goes on; "kiln logs -f ${id}" shows it, and "kiln cancel ${id}" ends it`);
    return exitCodes.cancelled;
  }
  writeResults(options, ended);
  if (isQuiet && ended.State === 'succeeded') console.log(ended.Digest);
  else for (const it of endOf(ended)) say(it);
  if (ended.State === 'succeeded') return exitCodes.done;
  return ended.State === 'cancelled' ? exitCodes.cancelled : exitOf(ended.Error?.Class as ErrorClass | undefined);
}
