import { contextName } from './context-name.ts';

// As BuildKit's frontend shortens names (reference.FamiliarString, without :latest).
it.each([
  ['busybox', 'busybox'],
  ['busybox:latest', 'busybox'],
  ['docker.io/library/busybox:1', 'busybox:1'],
  ['index.docker.io/library/busybox', 'busybox'],
  ['library/busybox', 'busybox'],
  ['org/app:latest', 'org/app'],
  ['docker.io/org/app', 'org/app'],
  ['localhost/app:latest', 'localhost/app'],
  ['127.0.0.1:5000/kiln/app:latest', '127.0.0.1:5000/kiln/app'],
  ['registry.example.com/library/app', 'registry.example.com/library/app'],
  ['busybox@sha256:abc', 'busybox@sha256:abc'],
  ['docker.io/library/busybox:1@sha256:abc', 'busybox:1@sha256:abc'],
])('%s is looked for as %s', (image, expected) => {
  expect(contextName(image)).toBe(expected);
});
