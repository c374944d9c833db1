import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { answer } from '../api.ts';
import { CommandError, exitCodes } from '../exit.ts';
import { attestationList } from '../show/attestation-list.ts';
import { checklist, type ShownInspection } from '../show/checklist.ts';
import { print, sessionOf } from './context.ts';
import { verifyAttestations } from './verify-attestations.ts';

const pollMs = 500;
const collect = (value: string, all: string[]): string[] => [...all, ...value.split(',')];

interface Options {
  against: string[];
  arch?: 'X86_64' | 'AARCH64';
  timeout: string;
  attestations?: boolean;
  key: string[];
  require: string[];
}

/**
 * `kiln verify IMAGE --profile NAME` means a profile of images; elsewhere, `--profile` is one of the command's own, which
 * KILN_PROFILE names here.
 */
export const withProfilesOfImages = (argv: readonly string[]): string[] =>
  argv[2] === 'verify' ? argv.map((it) => it.replace(/^--profile(?==|$)/, '--against')) : [...argv];

/** `kiln verify`: whether an image will run where it is meant to. */
export function verifyCommand(program: Command, leaveWith: (code: number) => void): void {
  program
    .command('verify <image>')
    .description('hold an image against what platforms ask of images: one of the catalogue (its id), or any reference')
    .option(
      '--against <profile>',
      'also as --profile; several times if need be ("kiln profiles" lists them)',
      collect,
      [],
    )
    .option('--arch <arch>', 'of an image for several: X86_64 or AARCH64')
    .option('--attestations', 'verify what is attached to an image of the catalogue, and nothing else')
    .option(
      '--key <file>',
      'with --attestations: trust this public key (PEM), not those that the api names',
      collect,
      [],
    )
    .option(
      '--require <kind>',
      'with --attestations: what has to be attached: provenance, spdx, cyclonedx, signature',
      collect,
      [],
    )
    .option('--timeout <seconds>', 'how long to wait until the image has been read', '600')
    .action(async (image: string, options: Options, command: Command) => {
      const { api } = sessionOf(command);
      const seconds = Number(options.timeout);
      if (!(seconds > 0)) throw new CommandError('--timeout must be a number of seconds');
      if (!options.attestations && options.key.length + options.require.length > 0)
        throw new CommandError('--key and --require are for --attestations');
      const isEntry = /^image-[\w-]+$/.test(image);
      if (options.attestations) {
        if (!isEntry) throw new CommandError(`--attestations: ${image} is no id of an image of the catalogue`);
        if (options.against.length > 0) throw new CommandError('--attestations and --profile are two commands');
        const found = await verifyAttestations(api, image, { keys: options.key, require: options.require });
        print(command, found, () => attestationList(found));
        if (found.Attestations.some((it) => !it.Verified)) leaveWith(exitCodes.refused);
        return;
      }
      if (!isEntry && options.against.length === 0)
        throw new CommandError('--profile is missing', exitCodes.usage, '"kiln profiles" lists them; all means all');
      const query = options.against.length > 0 ? { Profiles: options.against.join(',') } : {};
      const read = await (async () => {
        if (isEntry)
          return () =>
            answer(api.GET('/api/v1/images/{ImageId}/facts', { params: { path: { ImageId: image }, query } }));
        const body = { ImageUri: image, ...(options.arch ? { Arch: options.arch } : {}) };
        const { InspectionId } = await answer(api.POST('/api/v1/inspections', { body }));
        return () =>
          answer(api.GET('/api/v1/inspections/{InspectionId}', { params: { path: { InspectionId }, query } }));
      })();
      const endsAt = Date.now() + seconds * 1000;
      let found: ShownInspection = await read();
      while (['waiting', 'reading'].includes(found.State)) {
        if (Date.now() > endsAt)
          throw new CommandError(
            `${found.Image} has not been read in ${seconds} s${found.Message === undefined ? '' : `: ${found.Message}`}`,
            exitCodes.infrastructure,
          );
        await sleep(pollMs);
        found = await read();
      }
      if (found.State === 'failed')
        throw new CommandError(`${found.Image} cannot be read: ${found.Message ?? ''}`, exitCodes.refused);
      print(command, found, () => checklist(found));
      if (found.Profiles.some((it) => it.Verdict === 'fail' || it.Verdict === 'unknown')) leaveWith(exitCodes.refused);
    });

  program
    .command('profiles')
    .description('list what images can be held against')
    .action(async (_options: object, command: Command) => {
      const { api } = sessionOf(command);
      const { Profiles } = await answer(api.GET('/api/v1/profiles'));
      print(command, Profiles, () =>
        Profiles.map((it) => `${it.Profile}  ${it.Title}, ${it.Rules.length} rules, version ${it.Version}`).join('\n'),
      );
    });
}
