import { invalid, type Step } from './step.ts';

/** What a mount of RUN needs from elsewhere. */
export interface MountNeeds {
  /** Stage or image whose files it shows. */
  from?: string;
  secret?: string;
  /** Whether the step fails without its secret. */
  required?: boolean;
}

/** Fields of comma-separated values, of which some may be quoted. */
const fieldsOf = (text: string): string[] =>
  [...text.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
    ([, quoted, plain = '']) => quoted?.replaceAll('""', '"') ?? plain,
  );

/**
 * Refuses what no build here may have, and finds what mounts need. Whatever else is wrong with a flag, the engine says.
 * @throws Fault DockerfileInvalid
 */
export function checkRunFlag({ name, value }: Step['flags'][number], line: number): MountNeeds {
  if (name === 'security' && value !== 'sandbox')
    throw invalid(line, `RUN --security=${value} is not allowed: steps have no rights on the builder`);
  if (name === 'network' && value === 'host')
    throw invalid(line, 'RUN --network=host is not allowed: steps have the network of their build');
  if (name === 'device') throw invalid(line, 'RUN --device is not allowed: builders give no devices to steps');
  if (name !== 'mount') return {};
  const options = new Map(
    fieldsOf(value).map((it) => {
      const [key = '', ...rest] = it.split('=');
      return [key.trim().toLowerCase(), rest.join('=').trim()];
    }),
  );
  const from = options.get('from');
  if (from?.includes('$')) throw invalid(line, 'RUN --mount from must be literal: the name of a stage or of an image');
  if (options.get('type') !== 'secret') return from === undefined || from === '' ? {} : { from };
  const target = options.get('target') ?? options.get('dst') ?? options.get('destination');
  // As the engine names one that has no name of its own.
  const secret = options.get('id') ?? target?.split('/').at(-1);
  if (secret === undefined || !/^[A-Za-z0-9._-]{1,64}$/.test(secret))
    throw invalid(line, 'RUN --mount=type=secret needs an id: the name of a secret of the account');
  const required = options.get('required');
  return { secret, required: required !== undefined && required !== 'false' };
}
