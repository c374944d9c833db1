import { join } from 'node:path';
import { firstCalls } from '@kiln/contract';
import { root } from '@kiln/stack';
import { type LocalStack } from './local-stack.ts';
import { bold, dim, say } from './progress.ts';

/** Prints commands that can be pasted as they are. */
export function sayHowToGoOn({ url, account, base, registryHost }: LocalStack): void {
  const calls = firstCalls({ ...account, url, base, target: `${registryHost}/demo/mine:v1` });
  const lines = [
    dim('# the console: open it, and sign in with this token'),
    url,
    `export KILN_TOKEN=${account.token}`,
    '',
    ...calls.flatMap(({ heading, commands }) => [dim(`# ${heading}`), ...commands, '']),
    dim('# the same from a folder, with a Dockerfile in it'),
    `KILN_URL=${url} ${join(root, 'node_modules/.bin/kiln')} build -t demo/app:v1 .`,
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
