import { prepare } from './prepare.mjs';

console.log('Kiln\n');
prepare();
await import('../dist/start/main.js');
