import { type PackageSource, type PackageType } from '@kiln/domain';

type Found = Omit<PackageSource, 'path'>;

/** The most bytes of a database of packages. */
export const databaseBytesMax = 32 << 20;

const one = (type: PackageType, name: string | undefined, version: string | undefined): Found | undefined =>
  name && version && name.length <= 200 && version.length <= 200 ? { type, packages: [[name, version]] } : undefined;

/** A package that a path alone tells of. */
export function packageOfPath(path: string): Found | undefined {
  // Conda unpacks there what it then links from.
  if (/(?:^|\/)pkgs\//.test(path)) return undefined;
  const python =
    /(?:^|\/)(?:site|dist)-packages\/([^/]+?)-([^/-][^/]*?)(?:-py[\d.]+)?\.(?:dist|egg)-info(?:\/(?:METADATA|PKG-INFO))?$/.exec(
      path,
    );
  if (python && !path.endsWith('-info')) return one('pypi', python[1], python[2]);
  const egg = /(?:^|\/)(?:site|dist)-packages\/([^/]+?)-([^/-][^/]*?)(?:-py[\d.]+)?\.egg-info$/.exec(path);
  if (egg) return one('pypi', egg[1], egg[2]);
  const conda = /(?:^|\/)conda-meta\/([^/]+)-([^-/]+)-[^-/]+\.json$/.exec(path);
  if (conda) return one('conda', conda[1], conda[2]);
  const jar = /(?:^|\/)([A-Za-z][^/]*?)-(\d[^/]*?)\.jar$/.exec(path);
  return jar ? one('jar', jar[1], jar[2]) : undefined;
}

const dpkg = /^var\/lib\/dpkg\/status(?:$|\.d\/[^/]+$)/;
const apk = /^(?:usr\/)?lib\/apk\/db\/installed$/;
const npm = /(?:^|\/)node_modules\/(?:@[^/]+\/)?[^/]+\/package\.json$/;

/** Whether a file's words tell of packages. */
export const isDatabase = (path: string): boolean =>
  (dpkg.test(path) && !path.endsWith('.md5sums')) || apk.test(path) || npm.test(path);

function stanzas(
  text: string,
  field: (stanza: string) => [string | undefined, string | undefined],
): PackageSource['packages'] {
  return text.split(/\n\n+/).flatMap((stanza) => {
    const [name, version] = field(stanza);
    return name && version ? [[name.slice(0, 200), version.slice(0, 200)] as [string, string]] : [];
  });
}
const fieldOf = (stanza: string, name: string): string | undefined =>
  new RegExp(`^${name}:\\s*(\\S.*)$`, 'm').exec(stanza)?.[1]?.trim();

/** @param path one that isDatabase */
export function packagesIn(path: string, text: string): Found | undefined {
  if (dpkg.test(path))
    return {
      type: 'deb',
      // Removed packages whose settings are left stand there, too.
      packages: stanzas(text, (it) =>
        /^Status:(?!.* installed$)/m.test(it)
          ? [undefined, undefined]
          : [fieldOf(it, 'Package'), fieldOf(it, 'Version')],
      ),
    };
  if (apk.test(path)) return { type: 'apk', packages: stanzas(text, (it) => [fieldOf(it, 'P'), fieldOf(it, 'V')]) };
  try {
    const { name, version } = JSON.parse(text) as { name?: unknown; version?: unknown };
    const isPlain = [name, version].every((it) => typeof it === 'string' && /^[\x21-\x7e]+$/.test(it));
    return isPlain ? one('npm', name as string, version as string) : undefined;
  } catch {
    return undefined;
  }
}
