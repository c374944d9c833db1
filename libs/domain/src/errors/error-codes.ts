/** Who has to act on a failure. Only `infra` is retried by Kiln itself. */
export type ErrorClass = 'user' | 'policy' | 'upstream' | 'infra' | 'auth';

interface ErrorRow {
  class: ErrorClass;
  /** PAI: `Code` in the body (default: our own code) and HTTP status. */
  pai: { status: number; code?: string };
  /** ModelArts: `error_code` in the body and HTTP status. */
  modelarts: { status: number; code: string };
}

const row = (cls: ErrorClass, status: number, modelarts: [string, number], paiCode?: string): ErrorRow => ({
  class: cls,
  pai: paiCode === undefined ? { status } : { status, code: paiCode },
  modelarts: { code: modelarts[0], status: modelarts[1] },
});

/** Every error that Kiln can give, with its status and code in each dialect. The key is the stable code. */
export const errorCodes = {
  // The request itself
  InvalidParameter: row('user', 400, ['ModelArts.0104', 400]),
  MalformedJson: row('user', 400, ['ModelArts.6400', 400]),
  BodyTooLarge: row('user', 413, ['ModelArts.6400', 413]),
  UnsupportedMediaType: row('user', 415, ['ModelArts.6400', 415]),
  LayerUnreadable: row('user', 400, ['ModelArts.0104', 400]),
  ContextInvalid: row('user', 400, ['ModelArts.0104', 400]),
  ContextTooLarge: row('user', 413, ['ModelArts.0104', 413]),
  RouteNotFound: row('user', 404, ['APIG.0101', 404], 'InvalidAction.NotFound'),
  MethodNotAllowed: row('user', 405, ['APIG.0106', 405], 'InvalidAction.NotFound'),
  SortKeyInvalid: row('user', 400, ['ModelArts.6303', 400], 'InvalidParameter'),
  InvalidVersion: row('user', 400, ['ModelArts.0104', 400]),
  IdempotentParameterMismatch: row('user', 400, ['ModelArts.0104', 400]),
  Throttling: row('user', 429, ['APIG.0308', 429], 'Throttling.User'),
  TooManyWaiting: row('user', 429, ['APIG.0308', 429], 'QuotaExceeded'),
  TooManyBuilds: row('user', 429, ['APIG.0308', 429], 'QuotaExceeded'),
  TooManyWebhooks: row('user', 403, ['ModelArts.0108', 403], 'QuotaExceeded'),
  TooManyImages: row('user', 403, ['ModelArts.0108', 403], 'QuotaExceeded'),

  // Who is asking
  MissingParameter: row('auth', 400, ['ModelArts.0205', 401]),
  IncompleteSignature: row('auth', 400, ['APIG.0301', 401]),
  InvalidAccessKey: row('auth', 404, ['APIG.0301', 401], 'InvalidAccessKeyId.NotFound'),
  SignatureDoesNotMatch: row('auth', 400, ['APIG.0301', 401]),
  SignatureExpired: row('auth', 400, ['APIG.0301', 401], 'InvalidTimeStamp.Expired'),
  SignatureNonceUsed: row('auth', 400, ['APIG.0301', 401]),
  AccessKeyInactive: row('auth', 404, ['APIG.0301', 401], 'InvalidAccessKeyId.Inactive'),
  InvalidCredentials: row('auth', 401, ['IAM.0101', 401]),
  InvalidSecurityToken: row('auth', 400, ['APIG.0301', 401], 'InvalidSecurityToken.Malformed'),
  SecurityTokenExpired: row('auth', 400, ['APIG.0301', 401], 'InvalidSecurityToken.Expired'),
  InvalidToken: row('auth', 401, ['APIG.1002', 401], 'InvalidBearerToken'),
  Forbidden: row('auth', 403, ['ModelArts.0108', 403], 'Forbidden.RAM'),
  ProjectMismatch: row('auth', 403, ['ModelArts.0210', 403]),

  // What is asked for
  WorkspaceNotFound: row('user', 404, ['ModelArts.0102', 400], '100400027'),
  ImageNotFound: row('user', 404, ['ModelArts.6797', 400]),
  BuildNotFound: row('user', 404, ['ModelArts.0104', 404]),
  JobNotFound: row('user', 404, ['ModelArts.0104', 404], 'NotFound'),
  BuildAlreadyFinished: row('user', 409, ['ModelArts.0104', 409]),
  JobNotFinished: row('user', 409, ['ModelArts.0104', 409]),
  BuildNotFinished: row('user', 409, ['ModelArts.0104', 409]),
  BuildNotRetryable: row('user', 409, ['ModelArts.0104', 409]),
  ContextNotFound: row('user', 404, ['ModelArts.0104', 404]),
  AccountNotFound: row('user', 404, ['ModelArts.0104', 404]),
  InspectionNotFound: row('user', 404, ['ModelArts.0104', 404]),
  AttestationNotFound: row('user', 404, ['ModelArts.0104', 404]),
  SigningKeyNotFound: row('user', 404, ['ModelArts.0104', 404]),
  CampaignNotFound: row('user', 404, ['ModelArts.0104', 404]),
  CampaignNotMovable: row('user', 409, ['ModelArts.0104', 409]),
  PlanNotFound: row('user', 404, ['ModelArts.0104', 404]),
  PlanNotRunnable: row('user', 409, ['ModelArts.0104', 409]),
  ImageNotRetiring: row('user', 409, ['ModelArts.0104', 409]),
  ProfileNotFound: row('user', 404, ['ModelArts.0104', 404]),
  UploadNotFound: row('user', 404, ['ModelArts.0104', 404]),
  UploadConflict: row('user', 409, ['ModelArts.0104', 409]),
  UserNotFound: row('user', 404, ['ModelArts.0104', 404]),
  TokenNotFound: row('user', 404, ['ModelArts.0104', 404]),
  AccessKeyNotFound: row('user', 404, ['ModelArts.0104', 404]),
  SecretNotFound: row('user', 404, ['ModelArts.0104', 404]),
  SourceConnectionNotFound: row('user', 404, ['ModelArts.0104', 404]),
  LastAdmin: row('user', 409, ['ModelArts.0104', 409]),
  WorkerNotFound: row('user', 404, ['ModelArts.0104', 404]),
  WebhookNotFound: row('user', 404, ['ModelArts.0104', 404]),
  DeliveryNotFound: row('user', 404, ['ModelArts.0104', 404]),
  WebhookDisabled: row('user', 409, ['ModelArts.0104', 409]),
  ImageGroupNotFound: row('user', 404, ['ModelArts.6797', 400]),
  ImageIdDuplicated: row('user', 409, ['ModelArts.6737', 400]),
  ImageNameDuplicated: row('user', 409, ['ModelArts.6737', 400]),
  ImageAlreadyRegistered: row('user', 409, ['ModelArts.6737', 400]),
  RegistryConnectionNotFound: row('user', 400, ['ModelArts.0104', 400]),

  // Why a build ended
  DockerfileInvalid: row('user', 400, ['ModelArts.0104', 400]),
  DockerfileNotAllowed: row('policy', 400, ['ModelArts.0104', 400]),
  BaseImageNotFound: row('user', 400, ['ModelArts.6797', 400]),
  BaseImageDenied: row('user', 403, ['ModelArts.2885', 400]),
  StepFailed: row('user', 400, ['ModelArts.0104', 400]),
  TagExists: row('policy', 409, ['ModelArts.2884', 400]),
  PushDenied: row('user', 403, ['ModelArts.2885', 400]),
  PushFailed: row('upstream', 502, ['ModelArts.2810', 400]),
  OutOfMemory: row('user', 400, ['ModelArts.0104', 400]),
  DiskLimitExceeded: row('user', 400, ['ModelArts.0104', 400]),
  ProcessLimitExceeded: row('user', 400, ['ModelArts.0104', 400]),
  NetworkDenied: row('policy', 400, ['ModelArts.0104', 400]),
  BuildSecretNotFound: row('user', 400, ['ModelArts.0104', 400]),
  BaseImageTooLarge: row('policy', 400, ['ModelArts.0104', 400]),
  AddressNotAllowed: row('policy', 403, ['ModelArts.2885', 400]),
  EngineFailed: row('infra', 500, ['ModelArts.0010', 500]),
  LeaseLost: row('infra', 500, ['ModelArts.0010', 500]),
  BuilderDiskFull: row('infra', 500, ['ModelArts.0010', 500]),
  BuildQuarantined: row('policy', 409, ['ModelArts.0104', 409]),
  QueueTimeout: row('infra', 500, ['ModelArts.0010', 500]),
  RunTimeout: row('user', 400, ['ModelArts.0104', 400]),
  PhaseTimeout: row('user', 400, ['ModelArts.0104', 400]),
  OutputTimeout: row('user', 400, ['ModelArts.0104', 400]),
  Cancelled: row('user', 400, ['ModelArts.0104', 400], 'JobStoppedByUser'),

  // Where a context comes from
  SourceNotFound: row('user', 400, ['ModelArts.0104', 400]),
  SourceDenied: row('user', 403, ['ModelArts.0104', 403]),
  SourceInvalid: row('user', 400, ['ModelArts.0104', 400]),
  SourceChanged: row('user', 409, ['ModelArts.0104', 409]),
  SourceUnreachable: row('upstream', 502, ['ModelArts.0104', 502]),

  // What the registry holds
  ImagePathNotFound: row('user', 404, ['ModelArts.6797', 400]),
  RegistryDenied: row('user', 403, ['ModelArts.2885', 400]),
  RegistryRefused: row('user', 400, ['ModelArts.2885', 400]),
  RegistryUnreachable: row('upstream', 502, ['ModelArts.2810', 400]),
  ManifestInvalid: row('user', 400, ['ModelArts.0107', 400]),
  BlobMissing: row('user', 400, ['ModelArts.0107', 400]),
  PolicyRefused: row('policy', 409, ['ModelArts.0107', 400]),
  ArchMismatch: row('user', 400, ['ModelArts.0107', 400]),
  ImageDrifted: row('upstream', 409, ['ModelArts.0107', 400]),

  // Kiln itself
  InternalError: row('infra', 500, ['ModelArts.0010', 500]),
  ServiceUnavailable: row('infra', 503, ['ModelArts.0010', 503]),
} satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errorCodes;

/** An error's HTTP status and code on the wire; PAI's is our own code where the cloud has none. */
export const wireError = (code: ErrorCode, dialect: 'pai' | 'modelarts'): { status: number; code: string } => ({
  code,
  ...errorCodes[code][dialect],
});

export const errorClass = (code: ErrorCode): ErrorClass => errorCodes[code].class;
