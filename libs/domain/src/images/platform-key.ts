const architectures: Record<string, string> = {
  x86_64: 'amd64',
  'x86-64': 'amd64',
  aarch64: 'arm64',
  i386: '386',
  i686: '386',
  armhf: 'arm',
  armel: 'arm',
};

/** `os/architecture` in OCI's words, without a variant: people and registries also write `x86_64`, `aarch64` or capitals. */
export const platformKey = ({ os, architecture }: { os: string; architecture: string }): string => {
  const name = architecture.toLowerCase();
  return `${os.toLowerCase()}/${architectures[name] ?? name}`;
};

/**
 * The platform that `--platform` names: `linux/amd64`, `linux/arm64/v8`, or an architecture alone, quoted or not.
 * @returns undefined where it is left to a variable, or names none
 */
export function parsePlatform(value: string): string | undefined {
  const text = value.replace(/^(["'])(.*)\1$/, '$2').trim();
  if (text === '' || text.includes('$')) return undefined;
  const [first = '', second] = text.split('/');
  return second === undefined
    ? platformKey({ os: 'linux', architecture: first })
    : platformKey({ os: first, architecture: second });
}
