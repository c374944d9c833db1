import {
  checksFor,
  deniedClaims,
  Fault,
  formatImageName,
  type Label,
  type Checked,
  type ImageFacts,
  verdictOf,
} from '@kiln/domain';
import type { inspectionOperations } from '@kiln/contract';
import type { Inspection, KeptFacts } from '@kiln/persistence';
import type { z } from 'zod';
import { optional } from '../http/optional.ts';

type Shown = Omit<z.input<typeof inspectionOperations.GetInspection.reply>, 'RequestId'>;

const renderLayers = (layers: ImageFacts['layers']) =>
  layers.map(({ digest, size, unpacked, files, instruction }) => ({
    Digest: digest,
    Size: size,
    Unpacked: unpacked,
    Files: files,
    Instruction: instruction,
  }));

const renderFacts = ({ config, ...it }: KeptFacts): NonNullable<Shown['Facts']> => ({
  ...optional('Os', it.os && { Id: it.os.id, Version: it.os.version, Name: it.os.name }),
  ...optional('Libc', it.libc && { Kind: it.libc.kind, ...optional('Version', it.libc.version) }),
  Architectures: it.architectures,
  Pythons: it.pythons.map(({ path, version }) => ({ Path: path, Version: version })),
  Frameworks: it.frameworks.map(({ name, version, cuda }) => ({
    Name: name,
    Version: version,
    ...optional('Cuda', cuda),
  })),
  Cuda: it.cuda.map(({ version, path }) => ({ Version: version, Path: path })),
  ...optional('Cudnn', it.cudnn),
  ...optional('Nccl', it.nccl),
  ...optional('Cann', it.cann),
  Users: it.users.map(({ name, uid, gid, home, shell }) => ({
    Name: name,
    Uid: uid,
    Gid: gid,
    Home: home,
    Shell: shell,
  })),
  Groups: it.groups.map(({ name, gid }) => ({ Name: name, Gid: gid })),
  Setuid: it.setuid.map(({ path, mode, layer }) => ({ Path: path, Mode: mode.toString(8), Layer: layer })),
  Largest: it.largest.map(({ path, size, layer }) => ({ Path: path, Size: size, Layer: layer })),
  Secrets: it.secrets.map(({ path, kind, layer }) => ({ Path: path, Kind: kind, Layer: layer })),
  Layers: renderLayers(it.layers),
  User: config.user,
  WorkingDir: config.workingDir,
  Entrypoint: config.entrypoint,
  Cmd: config.cmd,
  Env: config.env,
  Ports: config.ports,
  Volumes: config.volumes,
  Labels: Object.entries(config.labels).map(([Key, Value]) => ({ Key, Value })),
  Incomplete: it.cut,
});

const renderCheck = ({ rule, title, severity, result, found, path, layer, fix, source }: Checked) => ({
  Rule: rule,
  Title: title,
  Severity: severity,
  Result: result,
  Found: found,
  ...optional('Path', path),
  ...optional('Layer', layer),
  ...optional('Fix', fix),
  Source: source,
});

const notRead: Checked = {
  rule: '-',
  title: 'the image was held against it',
  severity: 'error',
  result: 'unknown',
  found: 'the profile came after the image was read',
  source: '',
};

/** Names of profiles as a query has them; undefined where it names none. */
function namesIn(text: string | undefined, known: readonly string[]): string[] | undefined {
  if (text === undefined) return undefined;
  const names = text.split(',').map((it) => it.trim());
  if (names.includes('all')) return [...known];
  const other = names.find((it) => !known.includes(it));
  if (other !== undefined)
    throw new Fault('ProfileNotFound', `there is no profile ${other}; there are ${known.join(', ')}`);
  return names;
}

/**
 * @param asked profiles that the query names
 * @param meant those that the image is meant for, its labels, and ModelArts' categories of it
 * @throws Fault ProfileNotFound
 */
export function renderInspection(
  it: Inspection,
  profiles: readonly string[],
  asked: string | undefined,
  meant: { profiles: readonly string[]; labels: readonly Label[]; categories: readonly string[] | undefined },
): Shown {
  const names = namesIn(asked, profiles) ?? meant.profiles;
  // A profile that came after the image was read.
  const unread = it.results
    ? names.flatMap((name) =>
        it.results?.some(({ profile }) => profile === name)
          ? []
          : [{ profile: name, title: name, version: 0, checks: [notRead], notes: [] }],
      )
    : [];
  const denied = it.facts ? deniedClaims(meant.labels, it.facts) : [];
  const results = (it.results ?? []).filter(({ profile }) => names.includes(profile));
  return {
    State: it.state,
    Image: formatImageName({ ...it, reference: it.digest ?? it.reference }),
    ...optional('Digest', it.digest),
    ...optional('Platform', it.platform),
    ...optional('GmtReadTime', it.readAt?.toISOString()),
    ...optional('Code', it.error?.code),
    ...optional('Message', it.error?.message),
    ...optional('Facts', it.facts && renderFacts(it.facts)),
    ...(denied.length > 0
      ? { Denied: denied.map(({ key, claimed, found }) => ({ Key: key, Claimed: claimed, Found: found })) }
      : {}),
    Profiles: [...results, ...unread].map(({ profile, title, version, checks, notes }) => {
      const fitting = checksFor(checks, meant.categories);
      return {
        Profile: profile,
        Title: title,
        Version: version,
        Verdict: verdictOf(fitting),
        Checks: fitting.map(renderCheck),
        Notes: notes,
      };
    }),
  };
}
