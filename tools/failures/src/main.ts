// `npm run failures`: lets every build of the list fail for real, and writes down how, for the tests of the diagnoses.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureDebianBase, root } from '@kiln/stack';
import { openTestKiln, startTestStack } from '@kiln/stack/testing';
import { failingBuilds, platform } from './failing-builds.ts';

interface ShownError {
  Code: string;
  Message: string;
  Step?: string;
  ExitCode?: number;
  LogTail?: string[];
  Reason?: string;
}

const stack = await startTestStack(join(root, '.kiln/failures'));
process.env['KILN_TEST_STACK'] = stack.file;
const kiln = await openTestKiln({ platform });
const host = kiln.stack.registryHost;
const debian = await ensureDebianBase(host, kiln.stack.dir);
const failures = [];
for (const { reason, dockerfile, resource, from, trusted } of failingBuilds) {
  if (trusted) await kiln.trustPlainHttp(kiln.stack.privateRegistryHost);
  const base = (from ?? debian).replace('$host', host).replace('$private', kiln.stack.privateRegistryHost);
  const text = [`FROM ${base}`, ...dockerfile, ''].join('\n');
  const answer = await kiln.pai('POST', '/api/v1/imagebuilds', {
    body: kiln.buildRequest(text, resource ? { top: { Resource: resource } } : {}),
  });
  const id = (answer.body as { ImageBuildId?: string }).ImageBuildId;
  if (id === undefined) throw new Error(`${reason}: ${answer.text}`);
  const build = (await kiln.ended(id)) as { State: string; Error?: ShownError };
  const { Code, Message, Step, ExitCode, LogTail, Reason } = build.Error ?? { Code: '', Message: '' };
  console.log(
    `${Reason === reason ? 'named ' : 'OTHER '} ${reason}: ${build.State} ${Code} ${Reason ?? '-'} | ${LogTail?.at(-1) ?? Message}`,
  );
  failures.push({
    reason,
    dockerfile: dockerfile.join('\n'),
    failure: { code: Code, message: Message, step: Step, exitCode: ExitCode, logTail: LogTail },
  });
}
// Where it was captured is nobody's business.
const places = [
  [host, 'registry.example.com'],
  [kiln.stack.privateRegistryHost, 'private.example.com'],
] as const;
const written = places
  .reduce((text, [from, to]) => text.replaceAll(from, to), JSON.stringify(failures, null, 2))
  .replace(/https?:\/\/[^/\s"']+\/debian\b/g, 'http://mirror.example.com/debian');
writeFileSync(join(root, 'libs/domain/src/errors/diagnosis/failures.json'), `${written}\n`);
await kiln.stop();
await stack.stop();
