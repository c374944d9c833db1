import { setTimeout as sleep } from 'node:timers/promises';
import type { buildOperations, Reply } from '@kiln/contract';
import { isTerminal } from '@kiln/domain';
import { type Api, answer, send } from './api.ts';
import { CommandError, exitCodes } from './exit.ts';
import type { Profile } from './profile.ts';

export type ShownBuild = Reply<typeof buildOperations.GetImageBuild>;

/** A line of a build's log; `step` is 0 for those of no step. */
export interface BuildLine {
  attempt: number;
  step: number;
  text: string;
}

export interface Followed {
  onBuild: (build: ShownBuild) => void;
  onLine: (line: BuildLine) => void;
}

const lookMs = 400;

interface Event {
  id: string | undefined;
  name: string;
  data: string;
}

/** Server-sent events, one after the other. */
async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Event> {
  let rest = '';
  const decoder = new TextDecoder();
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
    rest += decoder.decode(chunk, { stream: true });
    for (let end = rest.indexOf('\n\n'); end >= 0; end = rest.indexOf('\n\n')) {
      const lines = rest.slice(0, end).split('\n');
      rest = rest.slice(end + 2);
      const field = (name: string) =>
        lines.flatMap((it) => (it.startsWith(`${name}: `) ? [it.slice(name.length + 2)] : [])).join('\n');
      yield { id: field('id') || undefined, name: field('event'), data: field('data') };
    }
  }
}

/** Follows a log until the build has ended, over as many connections as it takes. */
async function followLog(profile: Profile, id: string, signal: AbortSignal, onLine: Followed['onLine']): Promise<void> {
  let lastId: string | undefined;
  while (!signal.aborted) {
    try {
      const { body } = await send(profile, `/api/v1/imagebuilds/${id}/logs`, {
        headers: { accept: 'text/event-stream', ...(lastId === undefined ? {} : { 'last-event-id': lastId }) },
        signal,
      });
      if (!body) return;
      for await (const event of eventsOf(body)) {
        lastId = event.id ?? lastId;
        if (event.name === 'end') return;
        if (event.name !== 'log') continue;
        const { Attempt, Lines } = JSON.parse(event.data) as {
          Attempt: number;
          Lines: { Step?: number; Text: string }[];
        };
        for (const it of Lines) onLine({ attempt: Attempt, step: it.Step ?? 0, text: it.Text });
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof CommandError && error.exitCode !== exitCodes.infrastructure) throw error;
    }
    await sleep(1000, undefined, { signal }).catch(() => undefined);
  }
}

/**
 * Tells of a build until it has ended, also while the api is away for a moment.
 * @returns the build as it ended; undefined when the signal came first
 */
export async function followBuild(
  profile: Profile,
  api: Api,
  id: string,
  { onBuild, onLine }: Followed,
  signal: AbortSignal,
): Promise<ShownBuild | undefined> {
  const over = new AbortController();
  const logged = followLog(profile, id, AbortSignal.any([signal, over.signal]), onLine);
  logged.catch(() => undefined);
  while (!signal.aborted) {
    const build = await answer(
      api.GET('/api/v1/imagebuilds/{ImageBuildId}', { params: { path: { ImageBuildId: id } } }),
    ).catch((error: unknown) => {
      if (error instanceof CommandError && error.exitCode === exitCodes.infrastructure) return undefined;
      throw error;
    });
    if (build) onBuild(build);
    if (build && isTerminal(build.State)) {
      // The rest of the log is on its way.
      await Promise.race([logged, sleep(5000, undefined, { ref: false })]);
      over.abort();
      return build;
    }
    await sleep(lookMs, undefined, { signal }).catch(() => undefined);
  }
  over.abort();
  return undefined;
}
