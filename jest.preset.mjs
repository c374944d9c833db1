// Tests run as real ES modules (NODE_OPTIONS=--experimental-vm-modules in each test script), so ESM-only packages load.
const swc = [
  '@swc/jest',
  {
    swcrc: false,
    sourceMaps: 'inline',
    jsc: { target: 'es2023', parser: { syntax: 'typescript' } },
    module: { type: 'es6' },
  },
];

export const preset = {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/src/**/*.test.ts'],
  transform: { '^.+\\.ts$': swc },
  extensionsToTreatAsEsm: ['.ts'],
  testEnvironmentOptions: { customExportConditions: ['@kiln/source', 'node', 'node-addons'] },
  testTimeout: 180_000,
};
