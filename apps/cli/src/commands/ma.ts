import { dirname } from 'node:path';
import { type Command, Option } from 'commander';
import { type Api, answer } from '../api.ts';
import { CommandError } from '../exit.ts';
import { amount } from '../show/style.ts';
import { ago, table } from '../show/table.ts';
import { submitBuild } from './build.ts';
import { print, sessionOf } from './context.ts';
import { watchBuild } from './watch-build.ts';

/** Flags of ma-cli that are longer than one letter, and that no parser of POSIX flags takes. */
const longFlags: Record<string, string> = {
  '-swr': '--swr-path',
  '-arg': '--build-arg',
  '-rs': '--resource-category',
  '-wd': '--workspace-id',
  '-ad': '--image-description',
};

/** The command line with ma-cli's flags written as everybody else writes them. */
export const withLongFlags = (argv: readonly string[]): string[] =>
  argv[2] === 'ma' ? argv.map((it) => longFlags[it] ?? it) : [...argv];

/** Verbs of ma-cli that mean nothing here, and what does. */
const refused: [verb: string, instead: string][] = [
  ['debug', 'docker run starts the image on this machine'],
  ['df', '"kiln contexts" shows what is kept of files, and the workers’ page of the console what caches take'],
  ['prune', 'caches are bounded, and collected without being asked for'],
  ['get-template', 'builds start from any Dockerfile'],
  ['add-template', 'builds start from any Dockerfile'],
];

/** The project that ModelArts' calls are made in. */
async function projectOf(api: Api): Promise<string> {
  const { projects } = await answer(api.GET('/v3/projects'));
  const [first] = projects;
  if (!first) throw new CommandError('the user has no project');
  return first.id;
}

const collect = (it: string, all: string[] | undefined): string[] => [...(all ?? []), it];

/** `kiln ma image`: the verbs of ModelArts' `ma-cli image`. */
export function maCommands(program: Command, leaveWith: (code: number) => void): void {
  const image = program
    .command('ma')
    .description('the verbs of ModelArts’ ma-cli')
    .command('image')
    .description('build, register and list images as "ma-cli image" does');

  image
    .command('build <dockerfile>')
    .description('build an image from a Dockerfile, and register it')
    .requiredOption('--swr-path <path>', 'where the image goes, with its tag; ma-cli’s -swr')
    .option('--context <folder>', 'folder with the files (default: the Dockerfile’s)')
    .option('--build-arg <name=value>', 'value for an ARG; ma-cli’s -arg', collect)
    .option('-f, --force', 'move the tag if it exists')
    .action(async (file: string, options: Record<string, unknown>, command: Command) => {
      const session = sessionOf(command);
      const { context, swrPath, buildArg, force } = options as {
        context?: string;
        swrPath: string;
        buildArg?: string[];
        force?: boolean;
      };
      const how = { progress: 'auto' as const, cache: true, overwrite: force === true };
      const id = await submitBuild(session, context ?? dirname(file), {
        ...how,
        file,
        tag: [swrPath],
        ...(buildArg ? { buildArg } : {}),
      });
      leaveWith(await watchBuild(session.profile, session.api, id, how));
    });

  image
    .command('register')
    .description('register an image of a registry')
    .requiredOption('--swr-path <path>', 'of the image, with its tag; ma-cli’s -swr')
    .addOption(new Option('-a, --architecture <name>', 'what it runs on').choices(['X86_64', 'AARCH64']))
    .option('--resource-category <name>', 'CPU, GPU or ASCEND; several times; ma-cli’s -rs', collect)
    .option('--workspace-id <id>', 'ma-cli’s -wd')
    .addOption(new Option('-v, --visibility <who>', 'who sees it').choices(['PUBLIC', 'PRIVATE']))
    .option('--image-description <text>', 'ma-cli’s -ad')
    .action(async (options: Record<string, unknown>, command: Command) => {
      const { api } = sessionOf(command);
      const body = {
        swr_path: options['swrPath'],
        arch: options['architecture'],
        resource_category: options['resourceCategory'],
        workspace_id: options['workspaceId'],
        visibility: options['visibility'],
        description: options['imageDescription'],
      };
      const found = await answer(
        api.POST('/v1/{project_id}/images', {
          params: { path: { project_id: await projectOf(api) } },
          // Whatever is wrong with them, the api says.
          body: body as { swr_path: string },
        }),
      );
      print(command, found, () => `${found.id}\n${found.status}`);
    });

  image
    .command('unregister')
    .description('take an image out of the catalogue')
    .requiredOption('-i, --image-id <id>', 'as register and get-image show it')
    .option('-d, --delete-swr-image', 'delete it in its registry, too')
    .action(async (options: { imageId: string; deleteSwrImage?: boolean }, command: Command) => {
      const { api } = sessionOf(command);
      const found = await answer(
        api.DELETE('/v1/{project_id}/images/{id}', {
          params: { path: { project_id: await projectOf(api), id: options.imageId }, query: {} },
          body: { is_force: options.deleteSwrImage === true },
        }),
      );
      print(command, found, () => found.id);
    });

  image
    .command('get-image')
    .description('list the images of the project')
    .addOption(
      new Option('-t, --type <kind>', 'which of them').choices(['BUILD_IN', 'DEDICATED', 'ALL']).default('ALL'),
    )
    .option('-f, --filter <text>', 'whose name holds this')
    .action(async (options: { type: 'BUILD_IN' | 'DEDICATED' | 'ALL'; filter?: string }, command: Command) => {
      const { api } = sessionOf(command);
      const query = {
        limit: '100',
        ...(options.filter === undefined ? {} : { name: options.filter }),
        ...(options.type === 'ALL' ? {} : { type: options.type }),
      };
      const { data } = await answer(
        api.GET('/v1/{project_id}/images', { params: { path: { project_id: await projectOf(api) }, query } }),
      );
      print(command, data, () =>
        table(
          ['ID', 'NAME', 'TAG', 'SIZE', 'STATUS', 'SWR PATH', 'CREATED'],
          data.map((it) => [
            it.id,
            it.name,
            it.tag,
            amount(it.size ?? 0),
            it.status,
            it.swr_path,
            ago(new Date(it.create_at).toISOString()),
          ]),
        ),
      );
    });

  for (const [verb, instead] of refused)
    image
      .command(verb, { hidden: true })
      .allowUnknownOption()
      .allowExcessArguments()
      .action(() => {
        throw new CommandError(`ma image ${verb} is not taken here`, 2, instead);
      });
}
