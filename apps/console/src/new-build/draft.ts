import type { BuildRequest, Session } from '../api/replies.ts';

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
  lane: string;
}

export const emptyDraft = (session: Session): Draft => ({
  dockerfile: '',
  name: '',
  registry: session.Registries[0]?.InstanceId ?? '',
  path: '',
  workspace: session.Workspaces[0]?.WorkspaceId ?? '',
  isPublic: false,
  overwrite: false,
  spec: '',
  lane: 'interactive',
});

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
  };
}

/** The body of CreateImageBuild: what the form has, over what an earlier request had besides. */
export function bodyOf(draft: Draft, host: string, earlier: BuildRequest | undefined) {
  const { RegistryAuthHosts: _, ...config } = earlier?.BuildConfig ?? {};
  return {
    ...earlier,
    WorkspaceId: draft.workspace,
    Accessibility: draft.isPublic ? ('PUBLIC' as const) : ('PRIVATE' as const),
    Resource: { ...earlier?.Resource, ...(draft.spec.trim() === '' ? {} : { EcsSpec: draft.spec.trim() }) },
    TargetRegistry: { ...earlier?.TargetRegistry, Type: 'AcrEnterprise' as const, InstanceId: draft.registry },
    OverwriteImageTag: draft.overwrite,
    BuildConfig: { ...config, BuildType: 'CustomDockerfile' as const, Dockerfile: draft.dockerfile },
    Image: { ...earlier?.Image, Name: draft.name.trim(), Uri: `${host}/${draft.path.trim()}` },
  };
}

const place = (from: string | undefined): string => `draft ${from ?? ''}`;

/** What was begun in this tab and not sent: it outlives a reload, and a session that ends. */
export function keptDraft(from: string | undefined): Draft | undefined {
  const kept = sessionStorage.getItem(place(from));
  return kept === null ? undefined : (JSON.parse(kept) as Draft);
}
export const keepDraft = (from: string | undefined, draft: Draft): void =>
  sessionStorage.setItem(place(from), JSON.stringify(draft));
export const forgetDraft = (from: string | undefined): void => sessionStorage.removeItem(place(from));

/** `crypto.randomUUID` is there on safe connections only. */
export const newClientToken = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (it) => it.toString(16).padStart(2, '0')).join('');
