import { type Command, Option } from 'commander';
import { answer, send } from '../api.ts';
import { endOf } from '../show/build-end.ts';
import { ago, table } from '../show/table.ts';
import { bold, seconds } from '../show/style.ts';
import { watchBuild } from './watch-build.ts';
import { print, sessionOf } from './context.ts';

const path = (id: string) => ({ params: { path: { ImageBuildId: id } } });

/** Commands about builds that were submitted. */
export function buildCommands(program: Command, leaveWith: (code: number) => void): void {
  program
    .command('ps')
    .description('list builds, the newest first')
    .option('--state <states>', 'only these, separated by commas')
    .option('-n, --limit <n>', 'how many', '20')
    .action(async (options: { state?: string; limit: string }, command: Command) => {
      const { api } = sessionOf(command);
      const query = { Limit: options.limit, ...(options.state === undefined ? {} : { State: options.state }) };
      const { ImageBuilds } = await answer(api.GET('/api/v1/imagebuilds', { params: { query } }));
      print(command, ImageBuilds, () =>
        table(
          ['BUILD', 'STATE', 'IMAGE', 'CREATED'],
          ImageBuilds.map((it) => [it.ImageBuildId, it.State, it.ImageUri, ago(it.GmtCreateTime)]),
        ),
      );
    });

  program
    .command('show <build>')
    .description('show a build: its steps, and what became of it')
    .action(async (id: string, _options: object, command: Command) => {
      const { api } = sessionOf(command);
      const build = await answer(api.GET('/api/v1/imagebuilds/{ImageBuildId}', path(id)));
      print(command, build, () =>
        [
          `${bold(build.DisplayName, process.stdout)} ${build.ImageBuildId}: ${build.State}`,
          build.ImageUri,
          '',
          table(
            ['STEP', 'RESULT', 'TIME', 'INSTRUCTION'],
            build.Steps.filter((it) => it.Attempt === build.Attempt).map((it) => [
              String(it.Step),
              it.Result ?? 'running',
              it.DurationMs === undefined ? '' : seconds(it.DurationMs),
              it.Instruction.slice(0, 100),
            ]),
          ),
          ...(build.GmtFinishTime === undefined ? [] : ['', ...endOf(build)]),
        ].join('\n'),
      );
    });

  program
    .command('logs <build>')
    .description('print the log of a build')
    .option('-f, --follow', 'until it ends')
    .addOption(new Option('--step <n>', 'of one step only'))
    .action(async (id: string, options: { follow?: boolean; step?: string }, command: Command) => {
      const { profile } = sessionOf(command);
      const query = new URLSearchParams({
        Format: 'text',
        Follow: String(options.follow === true),
        ...(options.step === undefined ? {} : { Step: options.step }),
      });
      const { body } = await send(profile, `/api/v1/imagebuilds/${encodeURIComponent(id)}/logs?${query.toString()}`);
      if (body) for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) process.stdout.write(chunk);
    });

  program
    .command('watch <build>')
    .description('show a build as "kiln build" does, until it ends')
    .addOption(new Option('--progress <kind>').choices(['auto', 'plain', 'tty', 'quiet']).default('auto'))
    .action(async (id: string, options: { progress: 'auto' | 'plain' | 'tty' | 'quiet' }, command: Command) => {
      const { profile, api } = sessionOf(command);
      leaveWith(await watchBuild(profile, api, id, options));
    });

  program
    .command('cancel <build>')
    .description('end a build')
    .action(async (id: string, _options: object, command: Command) => {
      const { api } = sessionOf(command);
      const found = await answer(api.POST('/api/v1/imagebuilds/{ImageBuildId}/cancel', path(id)));
      print(command, found, () => `${found.ImageBuildId} is ${found.State}`);
    });

  program
    .command('retry <build>')
    .description('do a build again that ended by no fault of its own')
    .action(async (id: string, _options: object, command: Command) => {
      const { api } = sessionOf(command);
      const found = await answer(api.POST('/api/v1/imagebuilds/{ImageBuildId}/retry', path(id)));
      print(command, found, () => found.ImageBuildId);
    });

  program
    .command('rerun <build>')
    .description('build anew from the request of a build that has ended')
    .option('-t, --tag <image>', 'where the image goes this time')
    .option('--name <name>', 'the image’s name in the catalogue this time')
    .action(async (id: string, options: { tag?: string; name?: string }, command: Command) => {
      const { api } = sessionOf(command);
      const Image = {
        ...(options.tag === undefined ? {} : { Uri: options.tag }),
        ...(options.name === undefined ? {} : { Name: options.name }),
      };
      const found = await answer(
        api.POST('/api/v1/imagebuilds/{ImageBuildId}/rerun', { ...path(id), body: { OverwriteImageTag: true, Image } }),
      );
      print(command, found, () => found.ImageBuildId);
    });
}
