import { prepare } from './prepare.mjs';

console.log('Kiln\n');
prepare();
await import('../start/dist/main.js');
