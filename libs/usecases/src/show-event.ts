import type { AccountEvent } from '@kiln/persistence';
import type { ShownEvent } from '@kiln/contract';
import {
  type BrokenRule,
  type CampaignOutcome,
  type EventData,
  formatReference,
  type ImageCheck,
  type ImageDrift,
} from '@kiln/domain';

/** An event as it looks in lists, in streams, and as the body of a webhook. */
export const showEvent = ({ key, type, at, data }: Pick<AccountEvent, 'key' | 'type' | 'at' | 'data'>): ShownEvent => ({
  id: eventId(key),
  type,
  timestamp: at.toISOString(),
  data: showData(data),
});

export const eventId = (key: string): string => `evt_${key.replaceAll('-', '')}`;

function showData(data: EventData): ShownEvent['data'] {
  switch (data.kind) {
    case 'build':
      return {
        ImageBuildId: data.buildId,
        ImageBuildJobId: data.jobId,
        WorkspaceId: data.workspaceId,
        UserId: data.userId,
        ImageName: data.imageName,
        ImageUri: formatReference(data),
        State: data.state,
        Attempt: data.attempt,
        Message: data.message,
        ImageId: data.paiImageId,
        Digest: data.digest,
        SizeInBytes: data.sizeBytes,
        Error: data.error && {
          Code: data.error.code,
          Class: data.error.class,
          Message: data.error.message,
          Reason: data.error.reason,
        },
      };
    case 'image':
      return {
        ImageId: data.paiImageId,
        ModelArtsImageId: data.imageId,
        WorkspaceId: data.workspaceId,
        UserId: data.userId,
        Name: data.name,
        ImageUri: formatReference(data),
        Status: data.status,
        StatusMessage: data.statusMessage,
        Digest: data.digest,
        SizeInBytes: data.sizeBytes,
        ImageBuildId: data.buildId,
        Check: data.check && showCheck(data.check),
        Drift: data.drift && showDrift(data.drift),
      };
    case 'campaign':
      return {
        CampaignId: data.campaignId,
        WorkspaceId: data.workspaceId,
        UserId: data.userId,
        Title: data.title,
        State: data.state,
        Reason: data.reason,
        Counts: showCounts(data.counts ?? {}),
      };
    case 'webhook':
      return { WebhookId: data.webhookId };
  }
}

/** How many images of a campaign are where. */
export const showCounts = (counts: Partial<Record<CampaignOutcome, number>>) => ({
  Waiting: counts.waiting ?? 0,
  Building: counts.building ?? 0,
  Succeeded: counts.succeeded ?? 0,
  Failed: counts.failed ?? 0,
  Skipped: counts.skipped ?? 0,
});

export const showBroken = (broken: readonly BrokenRule[]) =>
  broken.map(({ profile, rule, title, severity, found }) => ({
    Profile: profile,
    Rule: rule,
    Title: title,
    Severity: severity,
    Found: found,
  }));

/** How an image did by the policy of its workspace. */
export const showCheck = ({ mode, verdict, profiles, broken }: ImageCheck) => ({
  Mode: mode,
  Verdict: verdict,
  Profiles: profiles.map((it) => ({ Profile: it.profile, Verdict: it.verdict })),
  Broken: showBroken(broken),
});

/** How an image differs from what its registry holds. */
export const showDrift = ({ kind, digest }: ImageDrift) => ({
  Kind: kind,
  ...(digest === undefined ? {} : { Digest: digest }),
});
