import { lintDockerfile } from './lint-dockerfile.ts';

it("gives Kiln's own warnings and those of BuildKit's linter in the order of their lines", () => {
  const text = 'FROM a as b\nENV API_TOKEN=x\nARG OTHER_TOKEN\nCMD run\n';
  expect(lintDockerfile(text).findings.map((it) => [it.severity, it.line, it.rule])).toEqual([
    ['warning', 1, 'FromAsCasing'],
    // Kiln's own words: they name the way out.
    ['warning', 2, undefined],
    ['warning', 3, 'SecretsUsedInArgOrEnv'],
    ['warning', 4, 'JSONArgsRecommended'],
  ]);
});

it('gives the one error that refuses a Dockerfile, with its line', () => {
  expect(lintDockerfile('FROM a\nRUNN x\n')).toEqual({
    findings: [{ severity: 'error', line: 2, message: 'unknown instruction RUNN' }],
    steps: 0,
    images: [],
  });
});
