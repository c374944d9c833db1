import type { ImageLayer, PackageType, RunConfig } from './layer-facts.ts';
import { findProgram, lookUp, type RootTree, rootTree } from './root-tree.ts';
import { newestOf, packageKey } from './versions.ts';

/** A package of an image, and the layer that brought it, counted from 0. */
export interface ImagePackage {
  type: PackageType;
  name: string;
  version: string;
  layer: number;
}

export interface UserFact {
  name: string;
  uid: number;
  gid: number;
  home: string;
  shell: string;
}

export interface GroupFact {
  name: string;
  gid: number;
}

/** What is known of an image without running anything of it. */
export interface ImageFacts {
  os: { id: string; version: string; name: string } | undefined;
  /** The C library, and its version where it is known. */
  libc: { kind: 'glibc' | 'musl'; version: string | undefined } | undefined;
  /** Architectures of the programs and libraries that were looked at, OCI's names. */
  architectures: string[];
  pythons: { path: string; version: string }[];
  /** Frameworks for machine learning, with the CUDA that each was made for. */
  frameworks: { name: string; version: string; cuda: string | undefined }[];
  /** CUDA toolkits on the image itself. */
  cuda: { version: string; path: string }[];
  cudnn: string | undefined;
  nccl: string | undefined;
  cann: string | undefined;
  users: UserFact[];
  groups: GroupFact[];
  setuid: { path: string; mode: number; layer: number }[];
  largest: { path: string; size: number; layer: number }[];
  secrets: { path: string; kind: string; layer: number }[];
  layers: { digest: string; size: number; unpacked: number; files: number; instruction: string }[];
  config: RunConfig;
  packages: ImagePackage[];
  /** Some layer has more than is kept: what is not told here may be there. */
  cut: boolean;
}

/** An image as its rules look at it. */
export interface InspectedImage {
  /** `linux/amd64` */
  platform: string;
  tree: RootTree;
  facts: ImageFacts;
}

const textOf = (tree: RootTree, path: string): string | undefined => {
  const found = tree.texts.get(path);
  if (found) return found.text;
  const entry = lookUp(tree, path);
  return entry && tree.texts.get(entry.path)?.text;
};

function osOf(tree: RootTree): ImageFacts['os'] {
  const text = textOf(tree, 'etc/os-release') ?? textOf(tree, 'usr/lib/os-release');
  if (text === undefined) return undefined;
  const field = (name: string) =>
    new RegExp(`^${name}=(.*)$`, 'm')
      .exec(text)?.[1]
      ?.trim()
      .replace(/^(["'])(.*)\1$/, '$2') ?? '';
  return { id: field('ID'), version: field('VERSION_ID'), name: field('PRETTY_NAME') };
}

const usersOf = (tree: RootTree): UserFact[] =>
  (textOf(tree, 'etc/passwd') ?? '').split('\n').flatMap((line) => {
    const [name = '', , uid = '', gid = '', , home = '', shell = ''] = line.split(':');
    return /^\d+$/.test(uid) && /^\d+$/.test(gid) ? [{ name, uid: Number(uid), gid: Number(gid), home, shell }] : [];
  });

const groupsOf = (tree: RootTree): GroupFact[] =>
  (textOf(tree, 'etc/group') ?? '').split('\n').flatMap((line) => {
    const [name = '', , gid = ''] = line.split(':');
    return /^\d+$/.test(gid) ? [{ name, gid: Number(gid) }] : [];
  });

/** One of a name and version, of the layer nearest to the top. */
function packagesOf(tree: RootTree): ImagePackage[] {
  const all = new Map<string, ImagePackage>();
  for (const { type, packages, layer } of tree.packages)
    for (const [name, version] of packages) all.set(`${type} ${name} ${version}`, { type, name, version, layer });
  return [...all.values()].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/** Databases of packages are written whole by each layer: a package came with the first that had it so. */
function withOrigins(layers: readonly ImageLayer[], packages: ImagePackage[]): ImagePackage[] {
  const first = new Map<string, number>();
  layers.forEach(({ facts }, layer) => {
    for (const it of facts.packages)
      for (const [name, version] of it.packages) {
        const key = `${it.type} ${name} ${version}`;
        if (!first.has(key)) first.set(key, layer);
      }
  });
  return packages.map((it) => ({ ...it, layer: first.get(`${it.type} ${it.name} ${it.version}`) ?? it.layer }));
}

const frameworkNames = new Set([
  ...['torch', 'tensorflow', 'tensorflow-gpu', 'mindspore', 'mindspore-gpu', 'mindspore-ascend', 'paddlepaddle'],
  ...['paddlepaddle-gpu', 'jax', 'jaxlib', 'mxnet', 'onnxruntime', 'onnxruntime-gpu', 'vllm', 'torch-npu', 'xgboost'],
]);

/** The CUDA that a framework was made for: by its own word, else by its version. */
function cudaOf(tree: RootTree, name: string, version: string): string | undefined {
  const told = [...tree.texts.values()].filter((it) =>
    name === 'torch'
      ? /(?:^|\/)torch\/version\.py$/.test(it.path)
      : it.path.endsWith('/tensorflow/python/platform/build_info.py'),
  );
  const said =
    name.startsWith('torch') || name.startsWith('tensorflow')
      ? told
          .map((it) => /(?:^cuda\b[^=\n]*=\s*|cuda_version'?"?[,:]\s*)['"](\d+(?:\.\d+)*)['"]/m.exec(it.text)?.[1])
          .find(Boolean)
      : undefined;
  const tagged = /\+cu(\d{2})(\d)$/.exec(version);
  return said ?? (tagged ? `${tagged[1]}.${tagged[2]}` : undefined);
}

function pythonsOf(tree: RootTree): ImageFacts['pythons'] {
  const found: ImageFacts['pythons'] = [];
  for (const { path, type, mode } of tree.entries.values()) {
    const minor = /(?:^|\/)bin\/python(3\.\d+)$/.exec(path)?.[1];
    if (minor === undefined || type !== 'file' || (mode & 0o111) === 0) continue;
    const home = path.slice(0, path.lastIndexOf('bin/'));
    const exact = /PY_VERSION\s+"([^"]+)"/.exec(textOf(tree, `${home}include/python${minor}/patchlevel.h`) ?? '')?.[1];
    found.push({ path: `/${path}`, version: exact ?? minor });
  }
  return found;
}

function cudaToolkits(tree: RootTree): ImageFacts['cuda'] {
  const found = new Map<string, string>();
  for (const { path, text } of tree.texts.values()) {
    const dir = /^(usr\/local\/cuda[^/]*)\/version\.json$/.exec(path)?.[1];
    const version = dir && /"cuda"\s*:\s*\{[^}]*"version"\s*:\s*"([^"]+)"/.exec(text)?.[1];
    if (dir && version) found.set(version, `/${dir}`);
  }
  const known = () => [...found.keys()];
  for (const { path, type } of tree.entries.values()) {
    if (type !== 'file') continue;
    // As the library is named in full: libcudart.so.12.4.127
    const version = /(?:^|\/)libcudart\.so\.(\d+\.\d+(?:\.\d+)?)$/.exec(path)?.[1];
    const isOfPackage = path.includes('/site-packages/') || path.includes('/dist-packages/');
    if (version && !isOfPackage && !known().some((it) => it.split('.')[0] === version.split('.')[0]))
      found.set(version, `/${path.slice(0, path.lastIndexOf('/'))}`);
  }
  return [...found].map(([version, path]) => ({ version, path }));
}

const versionOfLibrary = (tree: RootTree, library: RegExp): string | undefined =>
  newestOf([...tree.entries.keys()].map((path) => library.exec(path)?.[1]));

/** Crates and modules are called as libraries that they only speak to. */
const isLibrary = ({ type }: ImagePackage): boolean => type !== 'cargo' && type !== 'go';

const versionOfPackage = (packages: readonly ImagePackage[], name: RegExp): string | undefined =>
  newestOf(packages.filter((it) => isLibrary(it) && name.test(packageKey(it.name))).map((it) => it.version));

function libcOf(tree: RootTree, packages: readonly ImagePackage[]): ImageFacts['libc'] {
  const names = [...tree.entries.values()];
  const version = packages.find(
    (it) => ['libc6', 'glibc', 'musl'].includes(it.name) && it.type !== 'pypi' && isLibrary(it),
  )?.version;
  const plain = version && /^[\d.]+/.exec(version)?.[0];
  if (names.some((it) => /(?:^|\/)libc\.so\.6$/.test(it.path))) {
    const named = versionOfLibrary(tree, /(?:^|\/)libc-(2\.\d+)\.so$/);
    return { kind: 'glibc', version: named ?? plain };
  }
  return names.some((it) => /(?:^|\/)ld-musl-[^/]+\.so\.1$/.test(it.path))
    ? { kind: 'musl', version: plain }
    : undefined;
}

/** Puts together what the layers and the config of an image tell. */
export function inspect(platform: string, layers: readonly ImageLayer[], config: RunConfig): InspectedImage {
  const tree = rootTree(layers);
  const packages = withOrigins(layers, packagesOf(tree));
  const entries = [...tree.entries.values()];
  const facts: ImageFacts = {
    os: osOf(tree),
    libc: libcOf(tree, packages),
    architectures: [...new Set(entries.flatMap((it) => it.elf?.arch ?? []))].sort(),
    pythons: pythonsOf(tree),
    frameworks: packages
      .filter((it) => ['pypi', 'conda'].includes(it.type) && frameworkNames.has(packageKey(it.name)))
      .map(({ name, version }) => ({ name, version, cuda: cudaOf(tree, packageKey(name), version) })),
    cuda: cudaToolkits(tree),
    cudnn:
      versionOfLibrary(tree, /(?:^|\/)libcudnn\.so\.(\d+\.\d+\.\d+)$/) ??
      versionOfPackage(packages, /^nvidia-cudnn|^libcudnn\d|^cudnn$/),
    nccl:
      versionOfLibrary(tree, /(?:^|\/)libnccl\.so\.(\d+\.\d+\.\d+)$/) ??
      versionOfPackage(packages, /^nvidia-nccl|^libnccl\d|^nccl$/),
    cann: [...tree.texts.values()]
      .map((it) =>
        /ascend_(?:toolkit|nnae|nnrt)_install\.info$/.test(it.path)
          ? /^version=(.+)$/m.exec(it.text)?.[1]?.trim()
          : undefined,
      )
      .find(Boolean),
    users: usersOf(tree),
    groups: groupsOf(tree),
    setuid: entries
      .filter((it) => it.type === 'file' && (it.mode & 0o6000) !== 0)
      .map(({ path, mode, layer }) => ({ path: `/${path}`, mode, layer })),
    largest: tree.largest.slice(0, 20).map((it) => ({ ...it, path: `/${it.path}` })),
    secrets: tree.secrets.map((it) => ({ ...it, path: `/${it.path}` })),
    layers: layers.map(({ digest, size, instruction, facts: it }) => ({
      digest,
      size,
      unpacked: it.bytes,
      files: it.files,
      instruction,
    })),
    config,
    packages,
    cut: tree.cut,
  };
  return { platform, tree, facts };
}

/** What an image runs by itself: the first word of its entrypoint or command, through a shell's `-c`. */
export function programOf({
  tree,
  facts,
}: InspectedImage): { name: string; found: ReturnType<typeof lookUp> } | undefined {
  const { entrypoint, cmd, env, workingDir } = facts.config;
  const [name] = [...entrypoint, ...cmd];
  return name === undefined
    ? undefined
    : { name, found: findProgram(tree, name, { env, workingDir: workingDir || '/' }) };
}

/** The CUDA that decides: frameworks bring one of their own, and use no other. */
export const cudaInUse = ({ frameworks, cuda }: Pick<ImageFacts, 'frameworks' | 'cuda'>): string | undefined =>
  newestOf(frameworks.map((it) => it.cuda)) ?? newestOf(cuda.map((it) => it.version));

/** Facts with a version, under the names by which they are searched for. */
export function versionsIn(facts: Omit<ImageFacts, 'packages'>): { name: string; version: string }[] {
  const { pythons, frameworks, cuda, cudnn, nccl, cann, libc, os } = facts;
  const all: [string | undefined, string | undefined][] = [
    ...pythons.map((it) => ['python', it.version] as [string, string]),
    ...[...frameworks.map((it) => it.cuda), ...cuda.map((it) => it.version)].map(
      (it) => ['cuda', it] as [string, string | undefined],
    ),
    ['cudnn', cudnn],
    ['nccl', nccl],
    ['cann', cann],
    [libc?.kind, libc?.version],
    [os?.id, os?.version],
  ];
  const found = new Map(
    all.flatMap(([name, version]) => (name && version ? [[`${name} ${version}`, { name, version }]] : [])),
  );
  return [...found.values()];
}
