import { Fault, fieldFault } from '../errors/fault.ts';

/** A tagged image name: `host/namespace/…/name:tag`. */
export interface Reference {
  /** Registry host with its port, as written. */
  host: string;
  /** Path in the registry: `namespace/…/name`. */
  repository: string;
  tag: string;
}

/**
 * The one tag that pushes go to, before the registrar sets the real one, in registries that keep no manifest without a
 * tag; nobody reads it.
 */
export const stagingTag = 'kiln-staging';

// The grammar of the distribution project's `reference` package; the host is required here, since a catalogue entry
// must mean the same thing on every machine.
const hostPattern =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?$/;
const component = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

/**
 * Parses `host[:port]/namespace/name:tag`.
 * @param field name of the request field, for the error
 * @throws Fault InvalidParameter that names the field, the part that is wrong and the form expected
 */
export function parseReference(text: string, field: string): Reference {
  const wrong = (why: string) =>
    fieldFault('InvalidParameter', field, `${why}; expected host[:port]/namespace/name:tag`);
  const [hostPart, ...path] = text.split('/');
  const last = path.pop();
  if (hostPart === undefined || last === undefined || path.length === 0)
    throw wrong('needs a registry host, a namespace and a name');
  if (last.includes('@')) throw wrong('needs a tag, not a digest');
  const colon = last.indexOf(':');
  if (colon < 0) throw wrong('has no tag');
  const components = [...path, last.slice(0, colon)];
  const tag = last.slice(colon + 1);
  if (!hostPattern.test(hostPart)) throw wrong(`${JSON.stringify(hostPart)} is not a registry host`);
  for (const it of components)
    if (!component.test(it)) throw wrong(`${JSON.stringify(it)} is not a repository path component`);
  if (!tagPattern.test(tag)) throw wrong(`${JSON.stringify(tag)} is not a tag`);
  return { host: hostPart, repository: components.join('/'), tag };
}

export const formatReference = ({ host, repository, tag }: Reference): string => `${host}/${repository}:${tag}`;

/** An image by a tag, or by `sha256:…`. */
export const formatImageName = ({ host, repository, reference }: ImageName): string =>
  `${host}/${repository}${reference.startsWith('sha256:') ? '@' : ':'}${reference}`;

/** `op/team/torch` → namespace `op/team`, name `torch`: ModelArts shows the two apart. */
export function splitRepository(repository: string): { namespace: string; name: string } {
  const slash = repository.lastIndexOf('/');
  return { namespace: repository.slice(0, slash), name: repository.slice(slash + 1) };
}

/** An image that a Dockerfile names. */
export interface ImageName {
  host: string;
  repository: string;
  /** Tag or `sha256:…`. */
  reference: string;
}

/**
 * `debian:12` → docker.io, library/debian, 12: names are completed as docker completes them.
 * @throws Fault InvalidParameter when it is not the name of an image
 */
export function parseImageName(text: string): ImageName {
  const [name = '', digest] = text.replace(/^docker:\/\//, '').split('@');
  const [first = '', ...others] = name.split('/');
  const hasHost = others.length > 0 && /[.:]|^localhost$/.test(first);
  const path = hasHost ? others.join('/') : name;
  const colon = path.indexOf(':');
  const repository = colon < 0 ? path : path.slice(0, colon);
  const tag = colon < 0 ? 'latest' : path.slice(colon + 1);
  const host = hasHost && first !== 'index.docker.io' ? first : 'docker.io';
  const official = host === 'docker.io' && !repository.includes('/');
  const whole = official ? `library/${repository}` : repository;
  const isWhole = whole.split('/').every((it) => component.test(it)) && whole.length <= 255;
  if (!hostPattern.test(host) || !isWhole || !tagPattern.test(tag))
    throw new Fault('InvalidParameter', `${JSON.stringify(text)} is not the name of an image: host/namespace/name:tag`);
  return { host, repository: whole, reference: digest ?? tag };
}
