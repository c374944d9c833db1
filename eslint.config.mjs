import nx from '@nx/eslint-plugin';
import { defineConfig, globalIgnores } from 'eslint/config';
import reactHooks from 'eslint-plugin-react-hooks';
import * as jsonc from 'jsonc-eslint-parser';
import tseslint from 'typescript-eslint';

// domain ← contract ← kit ← { persistence | queue | registry ← sources | contexts ← facts | attestations | engine | auth } ← { usecases | worker }
// ← apps; see docs/ARCHITECTURE.md.
const outside = ['pg', 'drizzle-orm', 'bullmq', 'ioredis', 'express', 'undici'];
const layer = (name, below, owns = []) => ({
  sourceTag: `layer:${name}`,
  onlyDependOnLibsWithTags: [name, ...below].map((it) => `layer:${it}`),
  bannedExternalImports: outside.filter((it) => !owns.includes(it)),
});
const base = ['domain', 'contract', 'kit'];
const siblings = ['persistence', 'queue', 'registry', 'sources', 'contexts', 'facts', 'attestations', 'engine', 'auth'];
const shared = ['usecases', 'worker'];

export default defineConfig(
  globalIgnores(['**/dist', '**/dist-types', '**/migrations', '**/*.config.*', '.nx', '.kiln']),
  {
    files: ['**/*.ts', '**/*.tsx'],
    extends: [tseslint.configs.recommendedTypeChecked],
    plugins: { '@nx': nx },
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      // Otherwise the compiler leaves an import of nothing, and the module with all its own is loaded.
      '@typescript-eslint/no-import-type-side-effects': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', ignoreRestSiblings: true }],
      '@nx/enforce-module-boundaries': [
        'error',
        {
          enforceBuildableLibDependency: true,
          depConstraints: [
            layer('domain', []),
            layer('contract', ['domain']),
            layer('kit', ['domain', 'contract']),
            // BullMQ's tables lie beside its own.
            layer('persistence', base, ['pg', 'drizzle-orm', 'bullmq']),
            layer('queue', base, ['bullmq', 'ioredis', 'pg']),
            layer('registry', base, ['undici']),
            // By the same address rules.
            layer('sources', [...base, 'registry'], ['undici']),
            layer('contexts', base),
            // Layers are packed as archives are.
            layer('facts', [...base, 'contexts']),
            layer('attestations', base),
            layer('engine', base),
            layer('auth', base),
            layer('usecases', [...base, ...siblings]),
            layer('worker', [...base, ...siblings]),
            layer('app', [...base, ...siblings, ...shared]),
            layer('api', [...base, ...siblings, ...shared], ['express']),
            // In the browser: of Kiln's own, nothing but the shapes of what it is told.
            layer('console', ['domain', 'contract']),
            // On users' machines, which have nothing of the server's but how signatures are verified.
            layer('cli', ['domain', 'contract', 'attestations']),
            layer('stack', [...base, ...siblings, ...shared], outside),
            layer('tools', [...base, ...siblings, ...shared, 'stack'], outside),
          ],
        },
      ],
    },
  },
  {
    files: ['apps/console/**/*.tsx', 'apps/console/**/*.ts'],
    ...reactHooks.configs.flat.recommended,
    // The compiler that it warns of is not used.
    rules: { ...reactHooks.configs.flat.recommended.rules, 'react-hooks/incompatible-library': 'off' },
  },
  {
    // Answers are looked at field by field there; their shapes are what is under test.
    files: ['tools/{e2e,console-e2e,attacks}/**', 'tools/stack/src/testing/**'],
    rules: Object.fromEntries(
      [
        'no-unsafe-member-access',
        'no-unsafe-assignment',
        'no-unsafe-argument',
        'no-unsafe-return',
        'no-unsafe-call',
        'no-explicit-any',
      ].map((it) => [`@typescript-eslint/${it}`, 'off']),
    ),
  },
  {
    files: ['**/package.json'],
    languageOptions: { parser: jsonc },
    plugins: { '@nx': nx },
    rules: {
      '@nx/dependency-checks': [
        'error',
        {
          ignoredFiles: ['**/*.test.ts', '**/testing/**', '**/*.config.{ts,mjs}'],
          // Served as files, never imported.
          ignoredDependencies: ['swagger-ui-dist', 'react', '@bull-board/ui'],
        },
      ],
    },
  },
);
