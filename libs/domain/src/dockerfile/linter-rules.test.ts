import { parseDockerfile } from './dockerfile.ts';
import { checkRules } from './linter-rules.ts';

const check = (text: string) => checkRules(text, parseDockerfile(text)).map((it) => `${it.line} ${it.rule}`);

it.each([
  ['FROM a AS Base', ['1 StageNameCasing']],
  ['FROM a as base', ['1 FromAsCasing']],
  ['from a AS base', ['1 FromAsCasing']],
  ['FROM a\nrun x\nRUN y', ['2 ConsistentInstructionCasing']],
  ['from a\nRUN x\nrun y', ['2 ConsistentInstructionCasing']],
  ['From a\nRUN x', ['1 ConsistentInstructionCasing']],
  ['FROM a AS one\nFROM b AS one', ['2 DuplicateStageName']],
  ['FROM a AS scratch', ['1 ReservedStageName']],
  ['FROM --platform=$TARGETPLATFORM a', ['1 RedundantTargetPlatform']],
  ['FROM --platform=linux/amd64 a', ['1 FromPlatformFlagConstDisallowed']],
  ['FROM --platform=linux/amd64 a AS for-amd64', []],
  ['FROM --platform=$BUILDPLATFORM a', []],
  ['FROM a\nMAINTAINER me', ['2 MaintainerDeprecated']],
  ['FROM a\nCMD echo hi', ['2 JSONArgsRecommended']],
  ['FROM a\nSHELL ["/bin/bash", "-c"]\nCMD echo hi', []],
  ['FROM a AS x\nSHELL ["/bin/bash", "-c"]\nFROM x\nENTRYPOINT echo hi', []],
  ['FROM a\nCMD ["a"]\nCMD ["b"]\nHEALTHCHECK NONE\nHEALTHCHECK CMD true', ['2 MultipleInstructionsDisallowed', '4 MultipleInstructionsDisallowed']],
  ['FROM a\nWORKDIR app\nWORKDIR other', ['2 WorkdirRelativePath']],
  ['FROM a\nWORKDIR /app\nWORKDIR other', []],
  ['FROM a AS x\nWORKDIR /app\nFROM x\nWORKDIR other', []],
  ['FROM a\nENV A b c\nLABEL x y\nENV C=d', ['2 LegacyKeyValueFormat', '3 LegacyKeyValueFormat']],
  ['FROM a\nARG GITHUB_TOKEN\nENV API_KEY=x PUBLIC_KEY=y TOKENIZERS=z', ['2 SecretsUsedInArgOrEnv', '3 SecretsUsedInArgOrEnv']],
  ['FROM a\nEXPOSE 80/TCP 8080:80 443/tcp', ['2 ExposeProtoCasing', '2 ExposeInvalidFormat']],
  // What the image does not need is not looked at.
  ['FROM a AS unused\nCMD x\nFROM b', []],
  ['# check=skip=JSONArgsRecommended,WorkdirRelativePath\nFROM a\nWORKDIR x\nCMD y\nMAINTAINER z', ['5 MaintainerDeprecated']],
  ['# syntax=docker/dockerfile:1\n# check=skip=all;error=true\nFROM a as b\nCMD y', []],
  ['FROM a\nRUN <<EOF\nCMD x\nEOF', []],
])('%j has %j', (text, rules) => {
  expect(check(text)).toEqual(rules);
}); // prettier-ignore

it('says it in the words of BuildKit', () => {
  const text = 'FROM a AS Base\nENV A b\n';
  expect(checkRules(text, parseDockerfile(text))).toEqual([
    { rule: 'StageNameCasing', line: 1, message: "Stage name 'Base' should be lowercase" },
    {
      rule: 'LegacyKeyValueFormat',
      line: 2,
      message: '"ENV key=value" should be used instead of legacy "ENV key value" format',
    },
  ]);
});
