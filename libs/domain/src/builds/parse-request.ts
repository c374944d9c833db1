import { parseDockerfile, type ParsedDockerfile, type ParseOptions } from '../dockerfile/dockerfile.ts';
import type { BuildRequest } from './build-request.ts';

/**
 * Parses a request's Dockerfile as it will be built.
 * @throws Fault DockerfileInvalid that names the line
 */
export const parseRequest = (
  { dockerfile, context, namedContexts = {}, platform, arguments: given, stage }: BuildRequest,
  options: Pick<ParseOptions, 'builder'> = {},
): ParsedDockerfile =>
  parseDockerfile(dockerfile, {
    ...options,
    hasContext: context !== undefined,
    named: new Map(Object.entries(namedContexts).map(([name, it]) => [name, 'image' in it ? it.image : undefined])),
    platform,
    arguments: given ?? {},
    target: stage,
  });
