/**
 * What the Dockerfile's frontend calls an image when it looks for one that it was given: the familiar form, without
 * Docker Hub's host, its `library/`, and the tag `latest`.
 */
export function contextName(image: string): string {
  const [, host, path = ''] = /^(?:((?:[^/]*[.:][^/]*|localhost))\/)?(.*)$/.exec(image) ?? [];
  const isHub = host === undefined || host === 'docker.io' || host === 'index.docker.io';
  const familiar = isHub ? path.replace(/^library\/(?=[^/]+$)/, '') : image;
  return familiar.includes('@') ? familiar : familiar.replace(/:latest$/, '');
}
