import type { ImageLayer, LayerFacts, PackageSource, SeenEntry, SeenText } from './layer-facts.ts';

/** Something of a layer that upper layers have left there, and which layer it is. */
export type Left<T> = T & { layer: number };

/** What a container of the image sees, of what the layers tell. */
export interface RootTree {
  entries: ReadonlyMap<string, Left<SeenEntry>>;
  packages: Left<PackageSource>[];
  texts: ReadonlyMap<string, Left<SeenText>>;
  secrets: Left<{ path: string; kind: string }>[];
  largest: Left<{ path: string; size: number }>[];
  cut: boolean;
}

/** Tells whether a layer hides what lower layers have under a path; undefined where it hides nothing. */
function hides(
  { whiteouts, opaque, entries }: LayerFacts,
  below: ReadonlyMap<string, SeenEntry>,
): ((path: string) => boolean) | undefined {
  const gone = new Set(whiteouts);
  const emptied = new Set(opaque);
  // A file in a folder's place hides what was below it.
  const solid = new Set(
    entries.flatMap((it) => (it.type !== 'folder' && below.get(it.path)?.type === 'folder' ? [it.path] : [])),
  );
  if (gone.size + emptied.size + solid.size === 0) return undefined;
  return (path) => {
    if (gone.has(path)) return true;
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
      const above = path.slice(0, end);
      if (gone.has(above) || emptied.has(above) || solid.has(above)) return true;
    }
    return emptied.has('');
  };
}

function lay<T extends { path: string }>(kept: Map<string, Left<T>>, all: readonly T[], layer: number): void {
  for (const it of all) {
    // As it comes last, it stands last.
    kept.delete(it.path);
    kept.set(it.path, { ...it, layer });
  }
}

/** Lays the layers over each other, the lowest first. */
export function rootTree(layers: readonly Pick<ImageLayer, 'facts'>[]): RootTree {
  const kept = {
    entries: new Map<string, Left<SeenEntry>>(),
    packages: new Map<string, Left<PackageSource>>(),
    texts: new Map<string, Left<SeenText>>(),
    secrets: new Map<string, Left<{ path: string; kind: string }>>(),
    largest: new Map<string, Left<{ path: string; size: number }>>(),
  };
  layers.forEach(({ facts }, layer) => {
    const isHidden = hides(facts, kept.entries);
    if (isHidden)
      for (const map of Object.values(kept))
        for (const path of map.keys()) if (isHidden(path)) (map as Map<string, unknown>).delete(path);
    // What a program was made of goes with it.
    for (const { path } of facts.entries)
      if (['go', 'cargo'].includes(kept.packages.get(path)?.type ?? '')) kept.packages.delete(path);
    lay(kept.entries, facts.entries, layer);
    lay(kept.packages, facts.packages, layer);
    lay(kept.texts, facts.texts, layer);
    lay(kept.secrets, facts.secrets, layer);
    lay(kept.largest, facts.largest, layer);
  });
  return {
    entries: kept.entries,
    texts: kept.texts,
    packages: [...kept.packages.values()],
    secrets: [...kept.secrets.values()],
    largest: [...kept.largest.values()].sort((a, b) => b.size - a.size),
    cut: layers.some((it) => it.facts.cut),
  };
}

const linksMax = 16;

/**
 * Looks a path up as a container would, by links in it.
 * @param path absolute, or relative to the root
 * @returns undefined where nothing is known to be
 */
export function lookUp({ entries }: Pick<RootTree, 'entries'>, path: string): Left<SeenEntry> | undefined {
  let left = path.split('/').filter(Boolean);
  const at: string[] = [];
  let links = 0;
  while (left.length > 0) {
    const [name = '', ...rest] = left;
    left = rest;
    if (name === '.') continue;
    if (name === '..') {
      at.pop();
      continue;
    }
    at.push(name);
    const found = entries.get(at.join('/'));
    if (found?.type !== 'link') continue;
    if (++links > linksMax) return undefined;
    at.pop();
    if (found.target?.startsWith('/')) at.length = 0;
    left = [...(found.target ?? '').split('/').filter(Boolean), ...left];
  }
  return entries.get(at.join('/'));
}

/** The folders in which a container looks for programs. */
export const pathOf = (env: readonly string[]): string[] =>
  (
    env
      .findLast((it) => it.startsWith('PATH='))
      ?.slice(5)
      .split(':') ?? ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']
  ).filter(Boolean);

/** Looks a program up: by its path, or by its name on PATH. */
export function findProgram(
  tree: Pick<RootTree, 'entries'>,
  name: string,
  { env, workingDir }: { env: readonly string[]; workingDir: string },
): Left<SeenEntry> | undefined {
  const isProgram = (it: Left<SeenEntry> | undefined) => it?.type === 'file' && (it.mode & 0o111) !== 0;
  if (name.includes('/')) return lookUp(tree, name.startsWith('/') ? name : `${workingDir}/${name}`);
  for (const dir of pathOf(env)) {
    const found = lookUp(tree, `${dir}/${name}`);
    if (isProgram(found)) return found;
  }
  return undefined;
}
