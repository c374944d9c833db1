// node run.mjs NAME …: builds, then runs the tool of that name.
import { prepare } from './prepare.mjs';

prepare();
const [name] = process.argv.splice(2, 1);
await import(`../${name}/dist/main.js`);
