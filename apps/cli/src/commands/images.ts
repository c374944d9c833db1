import type { Command } from 'commander';
import { answer } from '../api.ts';
import { CommandError } from '../exit.ts';
import { amount } from '../show/style.ts';
import { ago, table } from '../show/table.ts';
import { print, type Session, sessionOf, whoAmI } from './context.ts';

/** The workspace that is meant when none is named. */
const usualWorkspace = async ({ api, profile }: Session): Promise<string | undefined> =>
  profile.workspace ?? (await whoAmI(api)).Workspaces[0]?.WorkspaceId;

/** Commands about the catalogue and about build contexts. */
export function imageCommands(program: Command): void {
  program
    .command('images')
    .description('list the images of the catalogue')
    .option('--workspace <id>', 'of this workspace (default: the first)')
    .option('--name <text>', 'whose name holds this')
    .action(async (options: { workspace?: string; name?: string }, command: Command) => {
      const session = sessionOf(command);
      const { api } = session;
      const workspace = options.workspace ?? (await usualWorkspace(session));
      const query = {
        WorkspaceId: workspace,
        PageSize: '100',
        SortBy: 'GmtCreateTime',
        Order: 'DESC',
        ...(options.name === undefined ? {} : { Name: options.name }),
      };
      const { Images } = await answer(api.GET('/api/v1/images', { params: { query } }));
      print(command, Images, () =>
        table(
          ['IMAGE', 'NAME', 'URI', 'CREATED'],
          Images.map((it) => [it.ImageId, it.Name, it.ImageUri, ago(it.GmtCreateTime)]),
        ),
      );
    });

  program
    .command('image <id>')
    .description('show an image of the catalogue')
    .action(async (id: string, _options: object, command: Command) => {
      const { api } = sessionOf(command);
      const found = await answer(
        api.GET('/api/v1/images/{ImageId}', { params: { path: { ImageId: id }, query: { Verbose: 'true' } } }),
      );
      print(command, found, () => JSON.stringify(found, null, 2));
    });

  program
    .command('register <image>')
    .description('add an image to the catalogue that is in a registry already')
    .requiredOption('--name <name>', 'its name in the catalogue')
    .option('--workspace <id>', 'workspace of the image (default: the first)')
    .action(async (uri: string, options: { name: string; workspace?: string }, command: Command) => {
      const session = sessionOf(command);
      const { api } = session;
      const workspace = options.workspace ?? (await usualWorkspace(session));
      if (workspace === undefined) throw new CommandError('the user has no workspace');
      const found = await answer(
        api.POST('/api/v1/images', { body: { Name: options.name, ImageUri: uri, WorkspaceId: workspace } }),
      );
      print(command, found, () => found.ImageId);
    });

  const contexts = program.command('contexts').description('build contexts that were sent');
  contexts
    .command('ls', { isDefault: true })
    .description('list them, the newest first')
    .action(async (_options: object, command: Command) => {
      const { api } = sessionOf(command);
      const { Contexts, UsedBytes } = await answer(api.GET('/api/v1/contexts'));
      print(command, Contexts, () =>
        [
          table(
            ['CONTEXT', 'FILES', 'SIZE', 'CREATED'],
            Contexts.map((it) => [it.Id, String(it.Files), amount(it.Bytes), ago(it.GmtCreateTime)]),
          ),
          `their files take ${amount(UsedBytes)} of the disk`,
        ].join('\n'),
      );
    });
  contexts
    .command('show <id>')
    .description('list the files of one')
    .action(async (id: string, _options: object, command: Command) => {
      const { api } = sessionOf(command);
      const found = await answer(
        api.GET('/api/v1/contexts/{Id}', { params: { path: { Id: id }, query: { Limit: '10000' } } }),
      );
      print(command, found, () =>
        table(
          ['SIZE', 'PATH'],
          found.Entries.map((it) => [
            it.Size === undefined ? '' : amount(it.Size),
            it.Type === 'link' ? `${it.Path} -> ${it.Target ?? ''}` : it.Type === 'folder' ? `${it.Path}/` : it.Path,
          ]),
        ),
      );
    });
  contexts
    .command('rm <id>')
    .description('let go of one, as soon as nothing needs it')
    .action(async (id: string, _options: object, command: Command) => {
      const { api } = sessionOf(command);
      await answer(api.DELETE('/api/v1/contexts/{Id}', { params: { path: { Id: id } } }));
      print(command, { Id: id }, () => id);
    });
}
