// What a browser needs of contexts.
export { ignoreFilesOf } from './context-files.ts';
export { type IgnoreRules, readIgnoreRules } from './ignore-rules.ts';
