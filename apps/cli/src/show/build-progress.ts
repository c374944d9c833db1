import { stripVTControlCharacters } from 'node:util';
import type { BuildLine, ShownBuild } from '../follow-build.ts';
import { blue, bold, dim, green, red, seconds } from './style.ts';

/** Shows a build while it runs. */
export interface BuildProgress {
  build(build: ShownBuild): void;
  line(line: BuildLine): void;
  /** Takes away what is not to stay. */
  end(): void;
}

const waitingText = ({ Waiting }: ShownBuild): string =>
  Waiting ? `waiting: ${Waiting.Message}` : 'waiting for a builder';

/** Plain lines, one after the other, for pipes and logs. */
export function plainProgress(write: (line: string) => void): BuildProgress {
  let said = '';
  const say = (text: string): void => {
    if (text === said) return;
    said = text;
    write(`kiln: ${text}`);
  };
  return {
    build(build) {
      if (build.State === 'queued') say(build.Attempt > 1 ? `attempt ${build.Attempt}: waiting` : waitingText(build));
      else if (build.State === 'publishing') say('pushing the image');
      else if (build.State === 'registering') say('verifying the image');
    },
    line: ({ text }) => write(text),
    end: () => undefined,
  };
}

/** What a build is doing, or how it ended. @param building said of one whose steps run */
function stateText(build: ShownBuild, building: string): string {
  switch (build.State) {
    case 'queued':
      return waitingText(build);
    case 'assigned':
      return 'looking up base images';
    case 'running':
      return building;
    case 'publishing':
      return 'pushing the image';
    case 'registering':
      return 'verifying the image';
    case 'cancelling':
      return 'ending';
    case 'timed_out':
      return 'timed out';
    case 'succeeded':
    case 'failed':
    case 'cancelled':
    case 'expired':
      return build.State;
  }
}

const spinner = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
/** Lines of a running step's log that are in sight. */
const tailMax = 5;

/** What a terminal shows of a build at a moment, as lines that fit into its width. */
export function screenOf(
  build: ShownBuild,
  tails: ReadonlyMap<number, string[]>,
  { now, columns, rows, tick }: { now: number; columns: number; rows: number; tick: number },
): string[] {
  const steps = build.Steps.filter((it) => it.Attempt === build.Attempt);
  const done = steps.filter((it) => it.Result !== undefined).length;
  const since = Date.parse(build.GmtStartTime ?? build.GmtCreateTime);
  const state = stateText(build, `building, ${done} of ${steps.length} steps begun are done`);
  const cut = (text: string, width: number): string => {
    const plain = [...stripVTControlCharacters(text).replace(/[\p{Cc}\t]/gu, ' ')];
    return plain.length > width ? `${plain.slice(0, Math.max(width - 1, 0)).join('')}…` : plain.join('');
  };
  const timed = (text: string, time: string, mark: (line: string) => string): string => {
    const width = columns - time.length - 2;
    return mark(cut(text, width).padEnd(width)) + ` ${time}`;
  };
  const head = timed(`[+] ${build.DisplayName} ${build.ImageBuildId}: ${state}`, seconds(now - since), bold);
  const blocks = steps.map((it) => {
    const running = it.Result === undefined;
    const took = running ? now - Date.parse(it.GmtStartTime) : (it.DurationMs ?? 0);
    const sign = running ? (spinner[tick % spinner.length] ?? '') : it.Result === 'failed' ? '✘' : '✔';
    const label = ` ${sign} ${it.Result === 'cached' ? 'CACHED ' : ''}[${it.Step}] ${it.Instruction}`;
    const paint = it.Result === 'failed' ? red : running ? blue : it.Result === 'cached' ? dim : green;
    const tail = running ? (tails.get(it.Step) ?? []).slice(-tailMax) : [];
    return [timed(label, seconds(took), paint), ...tail.map((text) => dim(`   │ ${cut(text, columns - 6)}`))];
  });
  // What is running is what one wants to see; of what is done, the latest.
  const lines = blocks.flat();
  const room = Math.max(rows - 3, 3);
  return [head, ...(lines.length > room ? lines.slice(lines.length - room) : lines)];
}

/** Redraws the steps of a build in place, those of parallel stages beside each other. */
export function terminalProgress(stream: NodeJS.WriteStream): BuildProgress {
  let latest: ShownBuild | undefined;
  let attempt = 0;
  let drawn = 0;
  let tick = 0;
  const tails = new Map<number, string[]>();
  const clear = (): void => {
    // What a terminal echoes of a Ctrl-C has moved it off the line's start.
    if (drawn > 0) stream.write(`\r\x1b[${drawn}A\x1b[0J`);
    drawn = 0;
  };
  const draw = (): void => {
    if (!latest) return;
    const size = { columns: stream.columns || 80, rows: stream.rows || 24 };
    const lines = screenOf(latest, tails, { now: Date.now(), tick: (tick += 1), ...size });
    clear();
    stream.write(`${lines.join('\n')}\n`);
    drawn = lines.length;
  };
  const timer = setInterval(draw, 120);
  stream.write('\x1b[?25l');
  return {
    build(build) {
      if (build.Attempt !== attempt) tails.clear();
      attempt = build.Attempt;
      latest = build;
    },
    line({ step, text }) {
      // The step's own row says so.
      if (step > 0 && !/^#\d+ /.test(text)) tails.set(step, [...(tails.get(step) ?? []), text].slice(-tailMax));
    },
    end() {
      clearInterval(timer);
      draw();
      stream.write('\x1b[?25h');
    },
  };
}
