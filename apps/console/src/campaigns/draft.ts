/** What the form for a new campaign holds. */
export interface Draft {
  workspace: string;
  title: string;
  isStale: boolean;
  /** PAI's id of an image, or none. */
  madeFrom: string[];
  repositories: string[];
  images: string[];
  ratePerHour: number;
  canaryPercent: number;
  stopPercent: number;
}

/** Fields of the api that the form shows under these. */
export const fields = [
  'WorkspaceId', 'Title', 'Stale', 'MadeFrom', 'Repositories', 'ImageIds',
  'RatePerHour', 'CanaryPercent', 'StopPercent',
] as const; // prettier-ignore

/** The form, with images chosen. */
export function newCampaignPath(given: {
  workspace?: string;
  stale?: boolean;
  /** What the images were made from. */
  from?: string;
  images?: readonly string[];
}): string {
  const search = new URLSearchParams({
    ...(given.workspace ? { workspace: given.workspace } : {}),
    ...(given.stale ? { stale: 'true' } : {}),
    ...(given.from === undefined ? {} : { from: given.from }),
    ...(given.images ? { images: given.images.join(',') } : {}),
  });
  return search.size > 0 ? `/builds/campaigns/new?${search.toString()}` : '/builds/campaigns/new';
}

export const draftFrom = (search: URLSearchParams, workspace: string): Draft => ({
  workspace: search.get('workspace') ?? workspace,
  title: '',
  isStale: search.get('stale') === 'true',
  madeFrom: search.get('from')?.split(',') ?? [],
  repositories: [],
  images: search.get('images')?.split(',') ?? [],
  ratePerHour: 60,
  canaryPercent: 10,
  stopPercent: 20,
});

/** The body of PlanCampaign; what is left empty chooses nothing. */
export const bodyOf = ({ madeFrom: [madeFrom], ...draft }: Draft) => ({
  WorkspaceId: draft.workspace,
  Title: draft.title.trim(),
  ...(draft.isStale ? { Stale: true } : {}),
  ...(madeFrom === undefined ? {} : { MadeFrom: madeFrom }),
  ...(draft.repositories.length > 0 ? { Repositories: draft.repositories } : {}),
  ...(draft.images.length > 0 ? { ImageIds: draft.images } : {}),
  RatePerHour: draft.ratePerHour,
  CanaryPercent: draft.canaryPercent,
  StopPercent: draft.stopPercent,
});
