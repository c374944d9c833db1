import { parseDockerfile, type ParsedDockerfile, type ParseOptions } from '../dockerfile/dockerfile.ts';
import { type BuildRequest } from './build-request.ts';

/**
 * Parses a request's Dockerfile as it will be built.
 * @throws Fault DockerfileInvalid that names the line
 */
export const parseRequest = (
  { dockerfile, context, arguments: given, stage }: BuildRequest,
  options: Pick<ParseOptions, 'platform'> = {},
): ParsedDockerfile =>
  parseDockerfile(dockerfile, { ...options, hasContext: context !== undefined, arguments: given ?? {}, target: stage });
