import type { ImagePackage, PackageType } from '@kiln/domain';
import { PackageURL } from 'packageurl-js';

/** The system of an image, as its os-release names it. */
export interface System {
  id: string;
  version: string;
}

const types: Record<PackageType, string> = {
  deb: 'deb',
  apk: 'apk',
  rpm: 'rpm',
  pypi: 'pypi',
  conda: 'conda',
  npm: 'npm',
  jar: 'maven',
  go: 'golang',
  cargo: 'cargo',
};

/** `pkg:deb/debian/curl@7.88.1-10?distro=debian-12`. @returns undefined where the package's name is none */
export function packageUrl(
  { type, name, version }: Omit<ImagePackage, 'layer'>,
  system: System | undefined,
): string | undefined {
  const ofSystem = type === 'deb' || type === 'apk' || type === 'rpm';
  const scope =
    type === 'npm'
      ? /^(@[^/]+)\/(.+)$/.exec(name)
      : type === 'jar'
        ? /^([^:]+):(.+)$/.exec(name)
        : type === 'go'
          ? /^(.+)\/([^/]+)$/.exec(name)
          : null;
  const namespace = scope?.[1] ?? (ofSystem ? system?.id : type === 'jar' ? 'unknown' : undefined);
  // In a purl, rpm's epoch stands beside the version.
  const [, epoch = '', rest = version] = (type === 'rpm' && /^(\d+):(.*)$/.exec(version)) || [];
  const qualifiers = {
    ...(ofSystem && system ? { distro: [system.id, system.version].filter(Boolean).join('-') } : {}),
    ...(Number(epoch) > 0 ? { epoch } : {}),
  };
  try {
    return new PackageURL(types[type], namespace, scope?.[2] ?? name, rest || undefined, qualifiers).toString();
  } catch {
    return undefined;
  }
}
