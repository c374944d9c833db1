import { readFile } from 'node:fs/promises';
import { tlsModes } from '@kiln/domain';
import { Secret } from '@kiln/kit';
import type { RegistryAccess } from '@kiln/registry';
import { type Command, Option } from 'commander';
import { givenSecret } from './given-secret.ts';

/** What the command line says of how a host is reached. */
export interface AccessOptions {
  tls: RegistryAccess['tlsMode'];
  ca?: string;
  username?: string;
}

/** Gives a command the flags of a connection. */
export const addAccessOptions = (command: Command): Command =>
  command
    .addOption(new Option('--tls <mode>', 'how to connect').choices(tlsModes).default('verify'))
    .option('--ca <file>', 'PEM file of the CA to trust')
    .option('--username <name>');

/** The file that a flag names. */
export const readOption = async (file: string | undefined): Promise<string | undefined> =>
  file === undefined ? undefined : readFile(file, 'utf8');

/**
 * @param variable of the environment, which has the password, or with _FILE the name of the file that has it
 * @throws Error for a user without one
 */
export async function readAccess({ tls, ca, username }: AccessOptions, variable: string) {
  const password = (await givenSecret(variable))?.trim();
  if (username !== undefined && !password)
    throw new Error(`with --username, set the password in ${variable}, or in the file that ${variable}_FILE names`);
  return {
    tlsMode: tls,
    caPem: await readOption(ca),
    username,
    password: username !== undefined && password ? new Secret(password) : undefined,
  };
}
