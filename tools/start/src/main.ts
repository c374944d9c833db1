// `npm start`: a whole Kiln on this machine, a demonstration of its main job, and what to type next.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { bad, bold, dim, good, say } from './progress.ts';
import { runDemonstration } from './demonstration.ts';
import { runExample } from './example.ts';
import { type Closers, startLocalStack } from './local-stack.ts';
import { sayHowToGoOn } from './how-to-go-on.ts';
import { cacheDir, root } from '@kiln/stack';

const { values } = parseArgs({
  options: {
    once: { type: 'boolean', default: false },
    example: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (values.help) {
  say(
    [
      'npm start                starts Kiln, demonstrates a build, and stays up until Ctrl-C',
      'npm start -- --once      ends after the demonstration; its exit status tells whether it worked',
      'npm start -- --example   builds a small project from its folder, too, with the kiln command',
      '',
      'Data, logs and settings are kept in .kiln/ (or the folder that KILN_DIR names),',
      `the system that BuildKit runs in, in ${cacheDir}.`,
    ].join('\n'),
  );
  process.exit(0);
}

const kilnDir = resolve(process.env['KILN_DIR'] ?? join(root, '.kiln'));
const dir = join(kilnDir, 'local');
mkdirSync(dir, { recursive: true, mode: 0o755 });

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupted.abort());

let status = 0;
const closers: Closers = [];
try {
  const stack = await startLocalStack(dir, closers, interrupted.signal);
  writeFileSync(join(dir, 'environment.json'), JSON.stringify(stack.env, null, 2), { mode: 0o600 });
  const worked = await runDemonstration(stack, interrupted.signal);
  const builtExample = !values.example || !worked || (await runExample(stack, interrupted.signal));
  if (!worked || !builtExample) status = 1;
  if (!values.once && !interrupted.signal.aborted) {
    sayHowToGoOn(stack);
    say(`\n${good('Kiln is up.')} ${dim('Ctrl-C stops it and everything that it started.')}`);
    const ended = Promise.race(stack.processes.map((it) => it.ended.then(() => it)));
    const asked = new Promise<void>((done) =>
      interrupted.signal.aborted ? done() : interrupted.signal.addEventListener('abort', () => done()),
    );
    const died = await Promise.race([ended, asked]);
    if (died) {
      status = 1;
      say(`\n${bad(`${died.name} ended by itself.`)} Its log: ${died.logFile}`);
    }
  }
} catch (error) {
  if (!interrupted.signal.aborted) {
    status = 1;
    say(`\n${bad('Kiln did not start.')} ${error instanceof Error ? error.message : String(error)}`);
    say(dim(`Logs: ${join(dir, 'logs')}`));
  }
} finally {
  say(`\n${bold('Stopping')}`);
  for (const { name, close } of closers.reverse())
    await close().catch((error: unknown) => say(`  ${bad('✘')} ${name}: ${String(error)}`));
  say(dim('  everything that was started has ended; the data stays'));
}
process.exit(status);
