import { existsSync } from 'node:fs';
import { limitsOf, networkOf, type Platform } from '@kiln/domain';
import { describeRoom, type EngineRoot, readEngineRoot } from '@kiln/engine';
import type { Command } from 'commander';

/** What the jails of builds are made from. */
export interface JailSettings {
  platform: Platform;
  engineRoot: string;
  cacheBytes: number;
}

/** The engine of this machine; where there is none, as beside a database, what container images have. */
const engineOf = (path: string): EngineRoot =>
  existsSync(path) ? readEngineRoot(path) : { path, daemon: 'buildkitd', program: '/usr/bin/buildkitd' };

/** What stands between builds and the machine. */
export function jailCommands(program: Command, settings: JailSettings, print: (result: unknown) => void): void {
  program
    .command('jail')
    .description('look at the jails of builds')
    .command('show')
    .description('print the OCI bundle, the firewall and the limits of a build')
    .option('--class <name>', 'resource class of the build; the default one when left out')
    .option('--network <name>', 'network of the build; the default one when left out')
    .action((options: { class?: string; network?: string }) => {
      const { platform, engineRoot, cacheBytes } = settings;
      const { network } = networkOf(platform.networks, options.network === undefined ? {} : { name: options.network });
      const { limits } = limitsOf(platform, options.class === undefined ? {} : { class: options.class });
      print(describeRoom(engineOf(engineRoot), { ...network, resolvers: [] }, limits, cacheBytes));
    });
}
