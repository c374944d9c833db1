import type { BuildRequest, RequestedContext, Session } from '../api/replies.ts';

/** What the form holds. */
export interface Draft {
  dockerfile: string;
  name: string;
  registry: string;
  /** Repository and tag, without the registry's host. */
  path: string;
  workspace: string;
  isPublic: boolean;
  overwrite: boolean;
  spec: string;
  network: string;
  /** Of the network; there is none in a network without groups. */
  group: string;
  pool: string;
  lane: string;
  files: Files;
  /** `NAME=value`, a line for each. */
  buildArgs: string;
  target: string;
  noCache: boolean;
}

/** Where COPY and ADD read from. */
export type Files =
  | { kind: 'none' }
  /** A folder or an archive that was sent. */
  | { kind: 'upload'; id: string; label: string; subPath?: string; dockerfile?: string }
  | { kind: 'git'; dockerfile?: string; url: string; ref: string; subPath: string; submodules: boolean; lfs: boolean };

export const emptyDraft = (session: Session): Draft => ({
  dockerfile: '',
  name: '',
  registry: session.Registries[0]?.InstanceId ?? '',
  path: '',
  workspace: session.Workspaces[0]?.WorkspaceId ?? '',
  isPublic: false,
  overwrite: false,
  spec: '',
  network: '',
  group: '',
  pool: '',
  lane: 'interactive',
  files: { kind: 'none' },
  buildArgs: '',
  target: '',
  noCache: false,
});

/** Arguments that the lines say; undefined when one of them is no `NAME=value`. */
export function readArguments(text: string): Record<string, string> | undefined {
  const lines = text.split('\n').filter((it) => it.trim() !== '');
  const pairs = lines.map((it) => /^\s*([A-Za-z_]\w*)=(.*)$/.exec(it));
  if (pairs.includes(null)) return undefined;
  return Object.fromEntries(pairs.map((it) => [it?.[1] ?? '', it?.[2] ?? '']));
}

function filesFrom(context: RequestedContext | undefined): Files {
  if (!context) return { kind: 'none' };
  // Its ignore file goes by its name.
  const dockerfile = context.Dockerfile === undefined ? {} : { dockerfile: context.Dockerfile };
  if (context.Type === 'Git')
    return {
      kind: 'git',
      url: context.Url ?? '',
      ref: context.Ref ?? '',
      subPath: context.SubPath ?? '',
      submodules: context.Submodules ?? false,
      lfs: context.Lfs ?? false,
      ...dockerfile,
    };
  if (context.Id === undefined) return { kind: 'none' };
  const subPath = context.SubPath === undefined ? {} : { subPath: context.SubPath };
  return { kind: 'upload', id: context.Id, label: 'The files of the earlier build', ...subPath, ...dockerfile };
}

const filled = <K extends string, T>(name: K, value: T | undefined | ''): Partial<Record<K, T>> =>
  value === undefined || value === '' ? {} : ({ [name]: value } as Partial<Record<K, T>>);

function contextOf(files: Files) {
  switch (files.kind) {
    case 'none':
      return undefined;
    case 'upload':
      return {
        Type: 'Upload' as const,
        Id: files.id,
        ...filled('SubPath', files.subPath),
        ...filled('Dockerfile', files.dockerfile),
      };
    case 'git':
      return {
        Type: 'Git' as const,
        Url: files.url.trim(),
        ...filled('Ref', files.ref.trim()),
        ...filled('SubPath', files.subPath.trim().replace(/^\/+|\/+$/g, '')),
        ...filled('Dockerfile', files.dockerfile),
        ...(files.submodules ? { Submodules: true } : {}),
        ...(files.lfs ? { Lfs: true } : {}),
      };
  }
}

/** A draft of the same as an earlier build, to be changed. */
export function draftFrom(request: BuildRequest, session: Session): Draft {
  const base = emptyDraft(session);
  const uri = request.Image?.Uri ?? '';
  return {
    ...base,
    dockerfile: request.BuildConfig?.Dockerfile ?? '',
    name: request.Image?.Name ?? '',
    registry: request.TargetRegistry?.InstanceId ?? base.registry,
    path: uri.slice(uri.indexOf('/') + 1),
    workspace: request.WorkspaceId ?? base.workspace,
    isPublic: request.Accessibility === 'PUBLIC',
    overwrite: request.OverwriteImageTag ?? false,
    spec: request.Resource?.EcsSpec ?? '',
    network: request.UserVpc?.VpcId ?? '',
    group: request.UserVpc?.SecurityGroupId ?? '',
    pool: request.Resource?.ResourceId ?? '',
    files: filesFrom(request.BuildConfig?.Context),
    buildArgs: Object.entries(request.BuildConfig?.BuildArgs ?? {})
      .map(([name, value]) => `${name}=${value}`)
      .join('\n'),
    target: request.BuildConfig?.Target ?? '',
    noCache: request.BuildConfig?.NoCache ?? false,
  };
}

/** The body of CreateImageBuild: what the form has, over what an earlier request had besides. */
export function bodyOf(draft: Draft, host: string, earlier: BuildRequest | undefined) {
  const { ResourceId: _pool, EcsSpec: _spec, ...resource } = earlier?.Resource ?? {};
  const values = readArguments(draft.buildArgs) ?? {};
  const context = contextOf(draft.files);
  return {
    ...earlier,
    WorkspaceId: draft.workspace,
    Accessibility: draft.isPublic ? ('PUBLIC' as const) : ('PRIVATE' as const),
    Resource: { ...resource, ...filled('EcsSpec', draft.spec.trim()), ...filled('ResourceId', draft.pool) },
    // PAI asks for a group wherever there is a network.
    UserVpc:
      draft.network === ''
        ? undefined
        : { ...earlier?.UserVpc, VpcId: draft.network, SecurityGroupId: draft.group === '' ? 'none' : draft.group },
    TargetRegistry: { ...earlier?.TargetRegistry, Type: 'AcrEnterprise' as const, InstanceId: draft.registry },
    OverwriteImageTag: draft.overwrite,
    BuildConfig: {
      BuildType: 'CustomDockerfile' as const,
      // One that is left empty is read where the files are.
      ...(context && draft.dockerfile.trim() === '' ? {} : { Dockerfile: draft.dockerfile }),
      ...(context ? { Context: context } : {}),
      ...(Object.keys(values).length > 0 ? { BuildArgs: values } : {}),
      ...filled('Target', draft.target.trim()),
      ...(draft.noCache ? { NoCache: true } : {}),
    },
    Image: { ...earlier?.Image, Name: draft.name.trim(), Uri: `${host}/${draft.path.trim()}` },
  };
}

const place = (from: string | undefined): string => `draft ${from ?? ''}`;

/** What was begun in this tab and not sent: it outlives a reload, and a session that ends. */
export function keptDraft(from: string | undefined, start: Draft): Draft | undefined {
  const kept = sessionStorage.getItem(place(from));
  // One of an earlier version of the console lacks what has been added since.
  return kept === null ? undefined : ({ ...start, ...(JSON.parse(kept) as Partial<Draft>) } satisfies Draft);
}
export const keepDraft = (from: string | undefined, draft: Draft): void =>
  sessionStorage.setItem(place(from), JSON.stringify(draft));
export const forgetDraft = (from: string | undefined): void => sessionStorage.removeItem(place(from));

/** `crypto.randomUUID` is there on safe connections only. */
export const newClientToken = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (it) => it.toString(16).padStart(2, '0')).join('');
