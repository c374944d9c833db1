// Makes one file of the command, which runs on Node alone: dist/kiln.mjs.
import { build } from 'esbuild';

await build({
  entryPoints: [new URL('./dist/main.js', import.meta.url).pathname],
  outfile: new URL('./dist/kiln.mjs', import.meta.url).pathname,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.19',
  banner: {
    js: "#!/usr/bin/env node\nimport { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);",
  },
  legalComments: 'none',
  logLevel: 'warning',
});
