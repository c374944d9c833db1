import { type Command, Option } from 'commander';
import { lanes } from '@kiln/domain';
import { CommandError } from '../exit.ts';

export interface BuildOptions {
  file?: string;
  tag?: string[];
  buildArg?: string[];
  buildContext?: string[];
  label?: string[];
  target?: string;
  cache: boolean;
  secret?: string[];
  platform?: string;
  metadataFile?: string;
  iidfile?: string;
  progress: 'auto' | 'plain' | 'tty' | 'quiet';
  quiet?: boolean;
  name?: string;
  class?: string;
  pool?: string;
  network?: string;
  lane?: string;
  workspace?: string;
  registry?: string;
  overwrite: boolean;
  async?: boolean;
  submodules?: boolean;
  lfs?: boolean;
  digest?: string;
  [refused: string]: unknown;
}

const attached = 'Kiln attaches provenance, SBOMs and a signature by itself; the workspace’s policy says when';

/** Flags of `docker buildx build` that mean nothing here, and what does. */
const refused: [flag: string, instead: string][] = [
  ['--add-host <host>', 'builds see the network that their class and network give them'],
  ['--allow <entitlement>', 'no build gets more rights than others'],
  ['--annotation <text>', 'put LABEL into the Dockerfile'],
  ['--attest <kind>', attached],
  ['--builder <name>', 'Kiln chooses the builder; --pool names a pool of them'],
  ['--cache-from <source>', 'steps of the account’s earlier builds are used without being asked for'],
  ['--cache-to <target>', 'steps are kept for the account’s next builds without being asked for'],
  ['--cgroup-parent <group>', 'limits come from --class'],
  ['--load', 'the image is in the registry: docker pull'],
  ['--no-cache-filter <stage>', '--no-cache uses no step of an earlier build'],
  ['--provenance <mode>', attached],
  ['--pull', 'each build looks its base images up anew'],
  ['--sbom <mode>', attached],
  ['--shm-size <bytes>', 'memory comes from --class'],
  ['--ssh <socket>', 'a build secret with a key does: RUN --mount=type=secret'],
  ['--ulimit <limit>', 'limits come from --class'],
];

const collect = (it: string, all: string[] | undefined): string[] => [...(all ?? []), it];

/** Gives a command the flags of a build. */
export function addBuildOptions(command: Command): Command {
  command
    .option('-f, --file <path>', 'the Dockerfile; - reads it from the standard input (default: PATH/Dockerfile)')
    .option('-t, --tag <image>', 'where the image goes: [REGISTRY/]REPOSITORY[:TAG]', collect)
    .option('--build-arg <name=value>', 'value for an ARG; a name alone takes the value from the environment', collect)
    .option(
      '--build-context <name=source>',
      'files or an image for a name of the Dockerfile: a folder, an address, or docker-image://IMAGE',
      collect,
    )
    .option('--label <name=value>', 'label of the image, over those of the Dockerfile', collect)
    .option('--target <stage>', 'stage to build')
    .option('--no-cache', 'run every step')
    .option('--secret <id=name>', 'checks that the account has this build secret, which steps mount', collect)
    .option('--platform <platform>', 'that the image is for, such as linux/arm64 (default: the builder’s own)')
    .option('--push', 'it is pushed in any case')
    .option('--metadata-file <file>', 'write digest and name there, as buildx does')
    .option('--iidfile <file>', 'write the digest there')
    .addOption(
      new Option('--progress <kind>', 'how it is shown').choices(['auto', 'plain', 'tty', 'quiet']).default('auto'),
    )
    .option('-q, --quiet', 'print the digest and nothing else')
    .option('--name <name>', 'the image’s name in the catalogue (default: from the repository)')
    .option('--class <class>', 'resource class, such as ecs.c6.large')
    .option('--pool <pool>', 'pool of builders')
    .option('--network <name[:group]>', 'network of the platform')
    .addOption(new Option('--lane <lane>', 'how urgent it is').choices(lanes))
    .option('--workspace <id>', 'workspace of the image')
    .option('--registry <id>', 'registry connection to push with (default: the one for the registry of -t)')
    .option('--no-overwrite', 'fail when the tag exists')
    .option('--submodules', 'of a repository, fetch its submodules too')
    .option('--lfs', 'of a repository, fetch the files of git LFS too')
    .option('--digest <sha256:…>', 'of an archive at an address: what it has to be')
    .option('--async', 'print the build’s id and leave it running');
  for (const [flag] of refused) command.addOption(new Option(flag).hideHelp());
  return command;
}

/** @throws CommandError for a flag of buildx that Kiln does not take */
export function refuseForeignFlags(command: Command): void {
  for (const [flag, instead] of refused) {
    const option = new Option(flag);
    if (command.getOptionValueSource(option.attributeName()) === 'cli')
      throw new CommandError(`${option.long ?? flag} is not taken here`, 2, instead);
  }
}
