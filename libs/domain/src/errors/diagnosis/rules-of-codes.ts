import type { Rule } from './rule.ts';

/** Limits, clocks and policies, which have codes of their own. */
export const limitRules: readonly Rule[] = [
  {
    name: 'OutOfMemory',
    codes: ['OutOfMemory'],
    cause: 'The step needed more memory than the build has, and the kernel killed it.',
    suggestion:
      'Ask for a larger class in Resource.EcsSpec, or use less: fewer parallel jobs (MAX_JOBS, make -j2), smaller batches.',
  },
  {
    name: 'DiskFull',
    codes: ['DiskLimitExceeded'],
    cause: 'The build has used up its disk.',
    suggestion: 'Choose a class with more disk, or remove caches and archives in the very RUN that makes them.',
  },
  {
    name: 'TooManyProcesses',
    codes: ['ProcessLimitExceeded'],
    cause: 'The step started more processes and threads than the build may have.',
    suggestion:
      'Start fewer at once: many tools start one for each processor of the machine unless they are told a number.',
  },
  {
    name: 'RanTooLong',
    codes: ['RunTimeout', 'PhaseTimeout'],
    cause: 'The build ran longer than its clock allows.',
    suggestion: 'Do less in one build, fetch what takes long beforehand, or choose a class with more time.',
  },
  {
    name: 'FellSilent',
    codes: ['OutputTimeout'],
    cause: 'The step printed nothing for so long that it counts as stuck.',
    suggestion: 'Look whether it waits for an answer or for the network; let long work print its progress.',
  },
  {
    name: 'NobodyTookIt',
    codes: ['QueueTimeout'],
    cause: 'No builder took the build within the time that it may wait.',
    suggestion: 'Submit it again when builders are free; an operator sees with "admin workers" whether there are any.',
  },
  {
    name: 'NetworkRefused',
    codes: ['NetworkDenied'],
    cause: 'The step tried to reach an address that this build may not reach.',
    suggestion:
      'Use a public address, or ask the operator for a network profile that opens it, and name it in UserVpc.VpcId.',
  },
  {
    name: 'DockerfileRefused',
    codes: ['DockerfileNotAllowed'],
    cause: 'The Dockerfile asks for something that builds are not given here.',
    suggestion: 'Write that line without it; docs/security.md lists what is refused.',
  },
  {
    name: 'SyntaxError',
    codes: ['DockerfileInvalid'],
    cause: 'The Dockerfile cannot be read.',
    suggestion:
      'Mend the line that the message names: instructions begin a line, and a line that goes on ends with a backslash.',
  },
  {
    name: 'SecretMissing',
    codes: ['BuildSecretNotFound'],
    cause: 'The Dockerfile mounts a build secret that the account does not have.',
    suggestion: 'Have an operator add it ("admin secret put"), or mend its id.',
  },
];

/** Registries: base images, pushes, tags. */
export const registryRules: readonly Rule[] = [
  {
    name: 'BaseImageMissing',
    codes: ['BaseImageNotFound'],
    cause: 'The registry has no such base image.',
    suggestion: 'Look for a slip in its name or tag; an image of another registry needs that registry’s host in front.',
  },
  {
    name: 'BaseImageDenied',
    codes: ['BaseImageDenied'],
    cause: 'The registry does not let this build read its base image.',
    suggestion:
      'Give credentials for its host in BuildConfig.RegistryAuths, or have an operator put a registry connection.',
  },
  {
    name: 'OtherArchitecture',
    codes: ['ArchMismatch'],
    cause: 'The image is for another processor than the builders have.',
    suggestion: 'Take the tag or digest that is built for this architecture, or an index that has it.',
  },
  {
    name: 'BaseImageTooLarge',
    codes: ['BaseImageTooLarge'],
    cause: 'The base image unpacks to more than builders take.',
    suggestion: 'Take a smaller variant (slim, runtime instead of devel), or ask the operator for KILN_BASE_BYTES_MAX.',
  },
  {
    name: 'RegistryPlainHttp',
    codes: ['RegistryUnreachable', 'PushFailed'],
    says: /WRONG_VERSION_NUMBER|HTTP response to HTTPS client/i,
    cause: 'The registry speaks plain HTTP, and was asked over TLS.',
    suggestion: 'Have an operator put a connection for it that says so ("admin registry put … --tls http").',
  },
  {
    name: 'RegistryNotTrusted',
    codes: ['RegistryUnreachable', 'PushFailed'],
    says: /certificate|self.signed|x509|TLS|SSL/i,
    cause: 'The registry’s certificate is not signed by anyone whom Kiln knows.',
    suggestion:
      'Put the registry’s CA into its connection ("admin registry put --ca"), or let it have a public certificate.',
  },
  {
    name: 'RegistryClosed',
    codes: ['AddressNotAllowed'],
    cause: 'The registry stands at an address that Kiln does not connect to.',
    suggestion: 'An operator opens private registries with KILN_OPEN_ADDRESSES.',
  },
  {
    name: 'RegistryAway',
    codes: ['RegistryUnreachable', 'PushFailed'],
    cause: 'The registry did not answer, or broke off, each time that it was tried.',
    suggestion: 'Retry when it is back: what was built is kept for an hour.',
  },
  {
    name: 'RegistryRefused',
    codes: ['RegistryRefused'],
    cause: 'The registry refuses what it was asked for, and says why: asked again it would refuse it again.',
    suggestion:
      'Do what its words ask for: most often the tag may not be changed, or there is no room left in the project.',
  },
  {
    name: 'PushDenied',
    codes: ['PushDenied'],
    cause: 'The registry did not let the image in.',
    suggestion: 'Give credentials that may push to this repository, then retry: what was built is kept for an hour.',
  },
  {
    name: 'TagTaken',
    codes: ['TagExists'],
    cause: 'The tag is there already, and the request does not replace it.',
    suggestion: 'Choose another tag, or set OverwriteImageTag.',
  },
];
