import type {
  attestationOperations,
  baseOperations,
  buildOperations,
  campaignOperations,
  consoleOperations,
  contextOperations,
  inspectionOperations,
  paiImageOperations,
  policyOperations,
  retentionOperations,
  sessionOperations,
  webhookOperations,
} from '@kiln/contract';
import type { Paths, Reply } from './paths.ts';

export type Session = Reply<typeof sessionOperations.GetSession>;
export type BuildList = Reply<typeof buildOperations.ListImageBuilds>;
export type BuildSummary = BuildList['ImageBuilds'][number];
export type Build = Reply<typeof buildOperations.GetImageBuild>;
export type Step = Build['Steps'][number];
export type BuildState = Build['State'];
export type BuildFailure = NonNullable<Build['Error']>;
export type Comparison = Reply<typeof buildOperations.CompareImageBuild>;
export type Overview = Reply<typeof consoleOperations.GetOverview>;
export type PlatformOffer = Reply<typeof consoleOperations.GetPlatform>;
export type Lint = Reply<typeof consoleOperations.LintDockerfile>;
export type ImageList = Reply<typeof paiImageOperations.ListImages>;
/** What lists of images are filtered by. */
export type ImageQuery = NonNullable<Paths['/api/v1/images']['get']['parameters']['query']>;
export type Image = ImageList['Images'][number];
export type LabelList = Reply<typeof paiImageOperations.ListImageLabels>;
export type ImageDetails = Reply<typeof consoleOperations.GetImageDetails>;
export type Queues = Reply<typeof consoleOperations.ListQueues>;
export type Workers = Reply<typeof consoleOperations.ListWorkers>;
export type Worker = Workers['Workers'][number];
export type Access = Reply<typeof consoleOperations.ListAccess>;
export type ShownContext = Reply<typeof contextOperations.GetContext>;
export type Inspection = Reply<typeof inspectionOperations.GetInspection>;
export type ImageFacts = NonNullable<Inspection['Facts']>;
export type ProfileResult = Inspection['Profiles'][number];
export type Attestations = Reply<typeof attestationOperations.ListAttestations>;
export type Bases = Reply<typeof baseOperations.ListBases>;
export type Dependents = Reply<typeof baseOperations.ListDependents>;
export type ImageComparison = Reply<typeof inspectionOperations.CompareImage>;
export type Policy = Reply<typeof policyOperations.GetPolicy>;
export type TriedPolicy = Reply<typeof policyOperations.TryPolicy>;
export type Drift = Reply<typeof baseOperations.ListDrift>;
export type DriftedImage = Drift['Images'][number];
export type FoundPackages = Reply<typeof inspectionOperations.SearchPackages>;
export type Campaigns = Reply<typeof campaignOperations.ListCampaigns>;
export type CampaignSummary = Campaigns['Campaigns'][number];
export type Campaign = Reply<typeof campaignOperations.GetCampaign>;
export type CampaignImage = Campaign['Images'][number];
export type Retention = Reply<typeof retentionOperations.GetRetention>;
export type RetentionRule = Retention['Rules'][number];
export type RetentionPlan = Reply<typeof retentionOperations.GetRetentionPlan>;
export type RetiringImage = Reply<typeof retentionOperations.ListRetiring>['Images'][number];
export type Webhooks = Reply<typeof webhookOperations.ListWebhooks>;
export type Webhook = Webhooks['Webhooks'][number];
export type Deliveries = Reply<typeof webhookOperations.ListWebhookDeliveries>;
export type Audit = Reply<typeof consoleOperations.ListAuditRecords>;

/** Where a build copied from. */
export interface RequestedContext {
  Type: 'Upload' | 'Git' | 'Object' | 'Image';
  Id?: string;
  Url?: string;
  Ref?: string;
  Commit?: string;
  /** Of the commit. */
  Author?: string;
  Subject?: string;
  SubPath?: string;
  Dockerfile?: string;
  Submodules?: boolean;
  Lfs?: boolean;
  /** Of an image. */
  Uri?: string;
}

/** The request of a build, as far as the console looks into it. */
export interface BuildRequest {
  WorkspaceId?: string;
  Resource?: { EcsSpec?: string; ResourceId?: string };
  UserVpc?: { VpcId?: string; SecurityGroupId?: string };
  TargetRegistry?: { InstanceId?: string };
  OverwriteImageTag?: boolean;
  Accessibility?: 'PUBLIC' | 'PRIVATE';
  BuildConfig?: {
    Dockerfile?: string;
    Context?: RequestedContext;
    NamedContexts?: Record<string, RequestedContext>;
    Platform?: string;
    Labels?: Record<string, string>;
    BuildArgs?: Record<string, string>;
    Target?: string;
    NoCache?: boolean;
    RegistryAuthHosts?: string[];
  };
  Image?: { Name?: string; Uri?: string; Description?: string; Labels?: { Key: string; Value: string }[] };
}
export const requestOf = (build: Pick<Build, 'Request'>): BuildRequest => build.Request;
