export { type BuildBench, openBuildBench } from './build-bench.ts';
export * from './test-database.ts';
export { exampleRequest } from './example-request.ts';
