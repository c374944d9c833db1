import { parsePlatform, platformKey } from './platform-key.ts';

it.each([
  ['linux/amd64', 'linux/amd64'],
  ['"linux/amd64"', 'linux/amd64'],
  ["'linux/arm64'", 'linux/arm64'],
  ['Linux/AMD64', 'linux/amd64'],
  ['linux/x86_64', 'linux/amd64'],
  ['linux/aarch64', 'linux/arm64'],
  ['linux/arm64/v8', 'linux/arm64'],
  ['amd64', 'linux/amd64'],
  ['aarch64', 'linux/arm64'],
  ['$BUILDPLATFORM', undefined],
  ['linux/${TARGETARCH}', undefined],
  ['', undefined],
])('--platform=%s means %s', (text, expected) => {
  expect(parsePlatform(text)).toBe(expected);
});

it('a registry’s own spelling is the same platform', () => {
  expect(platformKey({ os: 'Linux', architecture: 'x86_64' })).toBe('linux/amd64');
});
