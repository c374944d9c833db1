import { basename } from 'node:path';
import type { Command } from 'commander';
import { type Api, answer } from '../api.ts';
import { namedContextsOf, sourcesOf } from '../context/sources.ts';
import { CommandError } from '../exit.ts';
import type { Profile } from '../profile.ts';
import { addBuildOptions, type BuildOptions, refuseForeignFlags } from './build-options.ts';
import { type Session, sessionOf, whoAmI } from './context.ts';
import { watchBuild } from './watch-build.ts';

/** Splits `name=value`; @param bare what a name alone stands for, if anything */
function pairsOf(given: string[], bare: (name: string) => string | undefined): Record<string, string> {
  return Object.fromEntries(
    given.flatMap((it) => {
      const at = it.indexOf('=');
      if (at >= 0) return [[it.slice(0, at), it.slice(at + 1)]];
      const value = bare(it);
      return value === undefined ? [] : [[it, value]];
    }),
  );
}

/** A network, and a group of it where it has some: `office:builders`. */
function networkOf(written: string) {
  const [VpcId = '', SecurityGroupId = 'none'] = written.split(':');
  return { VpcId, SecurityGroupId };
}

/** Whether the first part of an image's name is a registry, as Docker decides it. */
const namesRegistry = (image: string): boolean => {
  const [first = '', ...rest] = image.split('/');
  return rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
};

/** A name that the catalogue has not: of the repository, the tag and the time. */
function nameOf(reference: string): string {
  const [, repository = '', tag = ''] = /^(.*?)(?::([^:/]+))?$/.exec(reference) ?? [];
  const text = `${basename(repository)}-${tag}`.toLowerCase().replace(/[^a-z0-9]+/g, '-');
  const base =
    text
      .replace(/^[^a-z]+/, '')
      .slice(0, 40)
      .replace(/-+$/, '') || 'image';
  return `${base}-${Date.now().toString(36)}`;
}

/** What the api and the command line say together of where the image goes. */
async function targetOf(api: Api, profile: Profile, options: BuildOptions) {
  const { tag: tags = [] } = options;
  const [tag] = tags;
  if (tag === undefined) throw new CommandError('-t is missing: it says where the image goes');
  if (tags.length > 1) throw new CommandError('-t may be given once: a build sets one tag');
  const { Workspaces, Registries } = await whoAmI(api);
  const workspace = options.workspace ?? profile.workspace ?? Workspaces[0]?.WorkspaceId;
  if (workspace === undefined) throw new CommandError('the user has no workspace', 2, 'an admin makes one');
  const wanted = options.registry ?? profile.registry;
  const named = wanted === undefined ? undefined : Registries.find((it) => it.InstanceId === wanted);
  if (wanted !== undefined && !named) throw new CommandError(`the account has no registry connection ${wanted}`);
  const host = namesRegistry(tag) ? tag.slice(0, tag.indexOf('/')) : (named ?? Registries[0])?.Host;
  const connection = named ?? Registries.find((it) => it.Host === host);
  if (!connection || host === undefined)
    throw new CommandError(
      `the account has no connection to ${host ?? 'a registry'}`,
      2,
      `it has ${Registries.map((it) => it.Host).join(', ') || 'none'}; an admin adds one`,
    );
  const full = namesRegistry(tag) ? tag : `${host}/${tag}`;
  const reference = /:[^/]+$/.test(full.slice(full.indexOf('/'))) ? full : `${full}:latest`;
  return { workspace, connection: connection.InstanceId, reference };
}

/** `kiln build`: sends a folder, has it built, and shows how. `kiln submit` leaves it running. */
export function buildCommand(program: Command, leaveWith: (code: number) => void): void {
  for (const name of ['build', 'submit'] as const) addBuild(program, name, leaveWith);
}

function addBuild(program: Command, name: 'build' | 'submit', leaveWith: (code: number) => void): void {
  const command = addBuildOptions(
    program
      .command(name)
      .argument(
        '<path>',
        'folder with the files, or the address of a repository (https, ssh) or an archive (https, s3, oss, obs); - for a Dockerfile or a tar from the standard input',
      ),
  ).description(
    name === 'build'
      ? 'build an image from a folder or an address, and push it'
      : '"build --async": print its id and leave it running',
  );
  command.action(async (path: string, options: BuildOptions) => {
    refuseForeignFlags(command);
    const session = sessionOf(command);
    const id = await submitBuild(session, path, options);
    if (options.async || name === 'submit') return void console.log(id);
    leaveWith(await watchBuild(session.profile, session.api, id, options));
  });
}

/**
 * Sends what a build needs, and has it accepted.
 * @returns the build's id
 * @throws CommandError
 */
export async function submitBuild({ profile, api }: Session, path: string, options: BuildOptions): Promise<string> {
  for (const it of options.secret ?? [])
    if (/(?:^|,)(?:src|source|env)=/.test(it))
      throw new CommandError('--secret takes no file', 2, 'an admin keeps build secrets: admin secret put');
  const { workspace, connection, reference } = await targetOf(api, profile, options);
  const sources = await sourcesOf(profile, path, options);
  const named = await namedContextsOf(profile, options.buildContext ?? [], options.quiet === true);
  const values = pairsOf(options.buildArg ?? [], (name) => process.env[name]);
  const labels = pairsOf(options.label ?? [], () => '');
  const { ImageBuildId } = await answer(
    api.POST('/api/v1/imagebuilds', {
      params: { query: options.lane === undefined ? {} : { Lane: options.lane } },
      body: {
        WorkspaceId: workspace,
        Resource: {
          ...(options.class === undefined ? {} : { EcsSpec: options.class }),
          ...(options.pool === undefined ? {} : { ResourceId: options.pool }),
        },
        ...(options.network === undefined ? {} : { UserVpc: networkOf(options.network) }),
        TargetRegistry: { Type: 'AcrEnterprise', InstanceId: connection },
        OverwriteImageTag: options.overwrite,
        BuildConfig: {
          ...sources,
          BuildType: 'CustomDockerfile',
          ...(Object.keys(named).length > 0 ? { NamedContexts: named } : {}),
          ...(options.platform === undefined ? {} : { Platform: options.platform }),
          ...(Object.keys(values).length > 0 ? { BuildArgs: values } : {}),
          ...(Object.keys(labels).length > 0 ? { Labels: labels } : {}),
          ...(options.target === undefined ? {} : { Target: options.target }),
          ...(options.cache ? {} : { NoCache: true }),
        },
        Image: { Name: options.name ?? nameOf(reference), Uri: reference },
      },
    }),
  );
  return ImageBuildId;
}
