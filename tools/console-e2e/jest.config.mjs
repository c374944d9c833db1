import { preset } from '../../jest.preset.mjs';
export default { ...preset, displayName: 'console-e2e' };
