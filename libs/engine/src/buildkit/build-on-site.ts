import { Fault } from '@kiln/domain';
import type { BuildRequest, BuiltImage } from '../engine.ts';
import {
  diagnoseDockerfile,
  diagnosePush,
  diagnoseStep,
  diskFull,
  isGatewayAway,
  plainWords,
  saysDiskFull,
  type StepsReport,
  wordsOf,
} from './diagnosis.ts';
import { Progress } from './progress.ts';
import type { Site } from './site.ts';
import { type Solve, type SolveOptions, startSolve } from './solve.ts';

/**
 * Runs a build's steps, and leaves the site when they fail, or when their image is discarded.
 * @param enter makes the site
 */
export async function buildOnSite(
  request: BuildRequest,
  enter: (progress: Progress) => Promise<Site>,
): Promise<BuiltImage> {
  const site = await enter(new Progress(request.parsed, request));
  let solve: Solve | undefined;
  try {
    solve = await runSteps(request, site);
  } catch (error) {
    // A daemon that fails by itself may do so for what is in its store.
    if (error instanceof Fault && error.code === 'EngineFailed') site.condemn();
    await site.leave();
    throw error;
  }
  return imageOf(request, site, solve);
}

/** Runs the steps, and sees how near they came to their limits. */
async function runSteps(request: BuildRequest, site: Site): Promise<Solve> {
  const { limits, signal } = request;
  const { solve, ended } = site;
  const clock = new AbortController();
  const timer = limits.seconds > 0 ? setTimeout(() => clock.abort(), limits.seconds * 1000) : undefined;
  const disk = await site.watchDisk(limits.diskBytes, () => clock.abort());
  const running = AbortSignal.any([signal, clock.signal, ended]);
  try {
    return await startSolve(site.connection, solve, running);
  } catch (error) {
    await site.endSteps();
    await solve.progress.stop();
    signal.throwIfAborted();
    ended.throwIfAborted();
    throw await explain(request, site, error, {
      ...(await site.usage()),
      timedOut: clock.signal.aborted && !disk.isOver(),
      disk: disk.isOver() ? 'over its limit' : disk.wasFull() && site.hasOwnDisk ? 'full' : 'enough',
      refused: await site.listRefused(),
      hostFull: (disk.wasFull() && !site.hasOwnDisk) || (await isHostFull(site, error)),
    });
  } finally {
    clearTimeout(timer);
    disk.close();
  }
}

/** Whether what failed did so for want of a disk that is not the build's own. */
const isHostFull = async (site: Site, error: unknown): Promise<boolean> =>
  (!site.hasOwnDisk && saysDiskFull(wordsOf(error))) || (await site.isHostFull());

async function explain(request: BuildRequest, site: Site, error: unknown, report: StepsReport): Promise<Fault> {
  for (const it of report.refused)
    await request.onLine(
      `kiln: refused: ${it.address} port ${it.port}/${it.protocol}, which this build may not reach`,
      false,
      0,
    );
  if (error instanceof Fault) return error;
  return diagnose(request, site.solve, error, report);
}

function diagnose(
  { parsed, limits }: BuildRequest,
  { progress, registry }: SolveOptions,
  error: unknown,
  report: StepsReport,
): Fault {
  const words = wordsOf(error);
  if (report.hostFull) return diskFull(words, progress.tailOf());
  const { failed } = progress;
  const step = failed && parsed.steps[failed.number - 1];
  if (step?.keyword !== 'RUN' && isGatewayAway(words, registry.host))
    return new Fault('EngineFailed', `BuildKit does not reach this builder: ${plainWords(words)}`, {}, error);
  if (failed && step) return diagnoseStep(step, failed.error, progress.tailOf(failed.number), report, limits);
  if (report.timedOut || report.disk !== 'enough') {
    const at = progress.running();
    const found = at === undefined ? undefined : parsed.steps[at - 1];
    if (at !== undefined && found) return diagnoseStep(found, words, progress.tailOf(at), report, limits);
  }
  return (
    diagnoseDockerfile(error, parsed.steps) ??
    new Fault('EngineFailed', `the engine failed: ${plainWords(words)}`, { logTail: progress.tailOf() }, error)
  );
}

const silentProgress = ({ parsed }: BuildRequest): Progress =>
  new Progress(parsed, { onLine: () => Promise.resolve() });

/** An image whose steps have run in `first`; sent by that, and by solving it again from the cache when it was not. */
function imageOf(request: BuildRequest, site: Site, first: Solve): BuiltImage {
  const { signal } = request;
  const { connection, ended } = site;
  let solve: Solve | undefined = first;
  return {
    async push(compression = request.compression) {
      const running = AbortSignal.any([signal, ended]);
      try {
        if (compression !== request.compression) {
          await solve?.abandon();
          solve = undefined;
        }
        // What has run a moment ago, though others' layers be not used.
        const again = { ...site.solve, compression, cached: true, progress: silentProgress(request) };
        solve ??= await startSolve(connection, again, running);
        return await solve.send();
      } catch (error) {
        signal.throwIfAborted();
        ended.throwIfAborted();
        throw diagnosePush(error, await isHostFull(site, error));
      } finally {
        solve = undefined;
      }
    },
    async sendCache(signal) {
      const again = { ...site.solve, cached: true, sends: 'cache' as const, progress: silentProgress(request) };
      const sending = await startSolve(connection, again, AbortSignal.any([signal, ended]));
      await sending.send();
    },
    async discard() {
      await solve?.abandon();
      solve = undefined;
      await site.leave();
    },
  };
}
