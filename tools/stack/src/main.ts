// `npm run stack`: keeps the tests' servers up until Ctrl-C, so that one project's tests run in seconds.
import { join } from 'node:path';
import { startTestStack } from './testing/test-stack.ts';
import { root } from './root.ts';

const running = await startTestStack(join(root, '.kiln/test'));
console.log(
  `\nThe test servers run (${running.file}). In another terminal:\n\n  npx nx test @kiln/engine\n\nCtrl-C stops them.`,
);
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => void running.stop().then(() => process.exit(0)));
