import type { PackageSource, PackageType } from '@kiln/domain';

type Found = Omit<PackageSource, 'path'>;

/** The most bytes of a database of packages that is text. */
export const databaseBytesMax = 32 << 20;

const one = (type: PackageType, name: string | undefined, version: string | undefined): Found | undefined =>
  name && version && name.length <= 200 && version.length <= 200 ? { type, packages: [[name, version]] } : undefined;

/** A package that a path alone tells of. */
export function packageOfPath(path: string): Found | undefined {
  // Conda unpacks there what it then links from.
  if (/(?:^|\/)pkgs\//.test(path)) return undefined;
  // Wherever it is: `pip install --target` chooses no folder of Python's own. What a package has swallowed is a part of it.
  const wheel = /(?:^|\/)([^/]+?)-(\d[^/-]*)\.dist-info\/METADATA$/.exec(path);
  if (wheel && !path.includes('/_vendor/')) return one('pypi', wheel[1], wheel[2]);
  const egg =
    /(?:^|\/)(?:site|dist)-packages\/([^/]+?)-([^/-][^/]*?)(?:-py[\d.]+)?\.(?:egg-info(?:\/PKG-INFO)?|egg\/EGG-INFO\/PKG-INFO)$/.exec(
      path,
    );
  if (egg) return one('pypi', egg[1], egg[2]);
  const conda = /(?:^|\/)conda-meta\/([^/]+)-([^-/]+)-[^-/]+\.json$/.exec(path);
  if (conda) return one('conda', conda[1], conda[2]);
  return jarOfPath(path);
}

const jarName = /(?:^|\/)([A-Za-z][^/]*?)-(\d[^/]*?)\.(?:jar|war|ear)$/;
/** What a version goes on with behind a hyphen. */
const jarVersion =
  /(?:^|\/)([A-Za-z][^/]*?)-(\d+(?:\.\w+)*(?:-(?:alpha|beta|rc|cr|m|pre|snapshot|jre|android|final|ga|sp|incubating|\d)[\w.]*)*)\.(?:jar|war|ear)$/i;

// `log4j-1.2-api-2.19.0.jar`: a name may have figures of its own. Links of Debian's are called `…-3.x.jar`.
function jarOfPath(path: string): Found | undefined {
  const [first, late] = [jarName.exec(path), jarVersion.exec(path)];
  // `jbossweb-7.4.8.Final-redhat-4.jar`: what stands last may belong to the version.
  const [, name, version = ''] = (late?.[2]?.includes('.') || late?.[1] === first?.[1] ? late : first) ?? [];
  return /(?:^|[.-])(?:x|debian)$/.test(version) ? undefined : one('jar', name, version);
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

/** What a database that is too large to be read is taken to hold: that of a lower layer is not there any more. */
export const emptyDatabase = (path: string): Found => ({
  type: dpkg.test(path) ? 'deb' : apk.test(path) ? 'apk' : npm.test(path) ? 'npm' : 'rpm',
  packages: [],
});

/** @param path one that isDatabase */
export function packagesIn(path: string, text: string): Found | undefined {
  if (dpkg.test(path))
    return {
      type: 'deb',
      // Removed packages whose settings are left stand there, too. Those whose triggers are due have all their files.
      packages: stanzas(text, (it) =>
        /^Status:.* (?:not-installed|config-files|half-installed)$/m.test(it)
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
