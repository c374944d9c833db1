import { type Duplex, Readable } from 'node:stream';
import { type GitAddress, Fault } from '@kiln/domain';
import { timings } from '@kiln/kit';
import { type AddressRules, connectGuarded } from '@kiln/registry';
import type { Client, ClientChannel, ConnectConfig } from 'ssh2';
import type { SourceAccess } from '../access.ts';
import { algorithmsOf, readKnownHosts } from './known-hosts.ts';
import { flush, pastFirstPart, service } from './packet-lines.ts';
import type { GitRemote } from './remote.ts';

const answerMs = timings.registryAnswerMs * 2;
const lastWordsMax = 500;

/** Not loaded before somebody uses ssh. A bundle has no names of such a package, but its default. */
const loadSsh = async () => (await import('ssh2')).default;

const hint = (host: string): string =>
  `an operator stores them with: admin source put ACCOUNT ${host} --key FILE --known-hosts FILE`;

/** @throws Fault SourceDenied for an account that has no key for the host, or does not know the host's */
function settingsOf({ host, user }: GitAddress, { privateKey, credentials, knownHosts }: SourceAccess): ConnectConfig {
  const keys = readKnownHosts(knownHosts ?? '');
  if (keys.length === 0)
    throw new Fault('SourceDenied', `the keys of the host ${host} are not known, so that it could be anybody`, {
      hint: hint(host),
    });
  if (!privateKey && !credentials)
    throw new Fault('SourceDenied', `the account has no key for ${host}`, { hint: hint(host) });
  return {
    username: user,
    ...(privateKey ? { privateKey: privateKey.reveal() } : {}),
    ...(credentials && !privateKey ? { password: credentials.password.reveal() } : {}),
    hostVerifier: (shown: Buffer) => keys.some(({ key }) => key.equals(shown)),
    // ssh2 names each algorithm that it knows in a type of its own.
    algorithms: { serverHostKey: algorithmsOf(keys) as never },
    readyTimeout: answerMs,
  };
}

/** What is wrong with a private key; undefined when ssh can use it. */
export async function privateKeyProblem(text: string): Promise<string | undefined> {
  const parsed = (await loadSsh()).utils.parseKey(text);
  return parsed instanceof Error ? parsed.message : undefined;
}

/** Ends a channel with an error; its type knows only an end without one. */
const fail = (channel: ClientChannel, why: Error): void => void (channel as Duplex).destroy(why);

function explain(error: Error & { level?: string }, host: string): Fault {
  if (error instanceof Fault) return error;
  if (error.level === 'client-authentication')
    return new Fault('SourceDenied', `${host} does not take the account’s key`, { hint: hint(host) }, error);
  if (/host (?:denied|verification)|verif/i.test(error.message))
    return new Fault('SourceDenied', `${host} shows another key than the one it is known by`, {}, error);
  return new Fault('SourceUnreachable', `${host} does not answer: ${error.message}`, {}, error);
}

/** A repository by ssh. What is asked for is one command, and nothing of it is read by a shell here. */
export function openSshRemote(address: GitAddress, access: SourceAccess, rules: AddressRules): GitRemote {
  const url = new URL(`ssh://${address.host}`);
  const name = url.hostname.replace(/^\[|\]$/g, '');
  let connected: Promise<Client> | undefined;

  const connect = async (): Promise<Client> => {
    const settings = settingsOf(address, access);
    const ssh = await loadSsh();
    const client = new ssh.Client();
    // After its end, too: nobody waits for it any more.
    client.on('error', () => undefined);
    try {
      const sock = await connectGuarded(rules, name, Number(url.port) || 22, 5000);
      await new Promise<void>((resolve, reject) => {
        client.once('ready', resolve).once('error', reject);
        client.once('close', () => reject(new Error('it closed the connection')));
        client.connect({ ...settings, sock });
      });
      return client;
    } catch (error) {
      client.destroy();
      throw explain(error as Error, address.host);
    }
  };

  /** Has the other side run `git-upload-pack`; what it complains of comes as the error of the stream. */
  const run = async (signal: AbortSignal): Promise<ClientChannel> => {
    signal.throwIfAborted();
    const client = await (connected ??= connect());
    // A server may let somebody in, and say nothing any more.
    const giveUp = (): void => void client.destroy();
    signal.addEventListener('abort', giveUp, { once: true });
    const channel = await new Promise<ClientChannel>((resolve, reject) => {
      client.once('close', () => reject(new Error('it closed the connection')));
      client.exec(`${service} '${address.path}'`, (error, it) => (error ? reject(error) : resolve(it)));
    })
      .catch((error: unknown) => {
        throw explain(error as Error, address.host);
      })
      .finally(() => signal.removeEventListener('abort', giveUp));
    let words = '';
    channel.stderr.on('data', (bytes: Buffer) => (words = (words + bytes.toString()).slice(-lastWordsMax)));
    channel.on('exit', (code: number | null) => {
      if (code !== 0 && words !== '')
        fail(
          channel,
          new Fault('SourceNotFound', `${address.host} says of ${address.path}: ${words.trim().toWellFormed()}`),
        );
    });
    channel.on('error', () => undefined);
    const stop = (): void => fail(channel, signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
    channel.once('close', () => signal.removeEventListener('abort', stop));
    return channel;
  };

  return {
    async advertise(signal) {
      const channel = await run(signal);
      // It waits for what is wanted: nothing.
      channel.end(flush);
      return channel;
    },
    async answer(request, signal) {
      const channel = await run(signal);
      request.pipe(channel);
      // The list of names comes first, which a client of HTTP has asked for before.
      return Readable.from(pastFirstPart(channel), { objectMode: false });
    },
    async close() {
      (await connected?.catch(() => undefined))?.end();
    },
  };
}
