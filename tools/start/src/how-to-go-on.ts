import { firstCalls } from '@kiln/contract';
import { root } from '@kiln/stack';
import { exampleArguments } from './example.ts';
import type { LocalStack } from './local-stack.ts';
import { bold, dim, say } from './progress.ts';

/** Prints commands that can be pasted as they are. */
export function sayHowToGoOn(stack: LocalStack): void {
  const { url, account, base, registryHost } = stack;
  const calls = firstCalls({ ...account, url, base, target: `${registryHost}/demo/mine:v1` });
  const lines = [
    dim('# the console: open it, and sign in with this token'),
    url,
    `export KILN_TOKEN=${account.token}`,
    '',
    ...calls.flatMap(({ heading, commands }) => [dim(`# ${heading}`), ...commands, '']),
    dim('# a folder with a Dockerfile in it: here, a small web application'),
    `cd ${root} && KILN_URL=${url} npx kiln ${exampleArguments(stack).join(' ')}`,
    '',
    dim('# access key for the clouds’ own clients'),
    `export KILN_ACCESS_KEY_ID=${account.accessKeyId} KILN_ACCESS_KEY_SECRET=${account.accessKeySecret}`,
    '',
    dim('# every call, to read and to try'),
    `${url}/docs`,
    '',
    dim('# users, keys, registries'),
    'npm run admin -- --help',
  ];
  say(`\n${bold('Try it')}\n`);
  for (const it of lines) say(it);
}
