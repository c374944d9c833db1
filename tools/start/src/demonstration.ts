import { randomBytes } from 'node:crypto';
import { openSignedClient, readEvents, type SignedClient } from '@kiln/stack/client';
import type { LocalStack } from './local-stack.ts';
import { bad, bold, dim, good, printable, say } from './progress.ts';

const dockerfileOf = (base: string) =>
  `FROM ${base}\nRUN apt-get update && apt-get install -y --no-install-recommends hello && rm -rf /var/lib/apt/lists/*\n`;

/** How long the demonstration may take before it counts as failed. */
const timeoutMs = 10 * 60 * 1000;

/**
 * Submits a real build with a signed request, follows it live and shows what it became.
 * @returns whether the image is ACTIVE in the catalogue
 */
export async function runDemonstration(stack: LocalStack, signal: AbortSignal): Promise<boolean> {
  const { account } = stack;
  const client = openSignedClient(stack.url, account);
  const name = `hello-${randomBytes(3).toString('hex')}`;
  const uri = `${stack.registryHost}/demo/hello:${name.slice(6)}`;
  say(`\n${bold('A build')}  ${dim('PackageInstallation: the hello package on Debian, over the network')}`);
  for (const line of dockerfileOf(stack.base).trimEnd().split('\n')) say(dim(`    ${line}`));
  const submitted = await client.pai('POST', '/api/v1/imagebuilds', {
    body: {
      WorkspaceId: account.workspaceId,
      Resource: {},
      TargetRegistry: { Type: 'AcrEnterprise', InstanceId: account.connectionId },
      BuildConfig: { Dockerfile: dockerfileOf(stack.base), BuildType: 'PackageInstallation' },
      Image: {
        Name: name,
        Uri: uri,
        Description: 'made by npm start',
        Labels: [{ Key: 'origin', Value: 'demonstration' }],
      },
    },
  });
  if (submitted.status !== 200) {
    say(`  ${bad('✘')} CreateImageBuild answered ${submitted.status}: ${submitted.text}`);
    return false;
  }
  const { ImageBuildId, ImageBuildJobId } = submitted.body as { ImageBuildId: string; ImageBuildJobId: string };
  say(`  ${good('✔')} accepted as ${bold(ImageBuildId)} ${dim(`(job ${ImageBuildJobId})`)}\n`);
  const build = await follow(stack, client, ImageBuildId, signal);
  if (!build) return false;
  return build.State === 'succeeded' ? showImage(client, stack, build) : showFailure(build);
}

interface BuildView {
  State: string;
  Phase: string;
  Digest?: string;
  SizeInBytes?: number;
  ImageId?: string;
  Phases: { Phase: string; DurationMs: number }[];
  Error?: { Code: string; Message: string; LogTail?: string[]; Hint?: string };
}

/** Shows log lines as they come, each with the time since the start. */
async function follow(
  { url, account }: LocalStack,
  client: SignedClient,
  id: string,
  signal: AbortSignal,
): Promise<BuildView | undefined> {
  const started = Date.now();
  const path = `/api/v1/imagebuilds/${id}`;
  const late = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const events = readEvents(`${url}${path}/logs`, { authorization: `Bearer ${account.token}` }, late);
  try {
    for await (const { event, data } of events)
      if (event === 'log') for (const it of (data as { Lines: LogLine[] }).Lines) showLine(it, started);
  } catch (error) {
    if (!late.aborted) throw error;
    if (!signal.aborted) say(`  ${bad('✘')} it has not ended after ${timeoutMs / 60_000} minutes`);
    return undefined;
  }
  return (await client.pai('GET', path)).body as BuildView;
}

interface LogLine {
  Time: string;
  Text: string;
}

function showLine({ Time, Text }: LogLine, started: number): void {
  const seconds = Math.max(0, (Date.parse(Time) - started) / 1000)
    .toFixed(1)
    .padStart(6);
  const line = printable(Text).slice(0, 110);
  say(`  ${dim(`${seconds} s`)} │ ${/^#\d+ (?!DONE|CACHED|ERROR|CANCELED)/.test(line) ? bold(line) : dim(line)}`);
}

async function showImage(client: SignedClient, { account }: LocalStack, build: BuildView): Promise<boolean> {
  const image = (await client.pai('GET', `/api/v1/images/${build.ImageId ?? ''}`)).body as Record<string, string>;
  const phases = build.Phases.map((it) => `${it.Phase} ${(it.DurationMs / 1000).toFixed(2)} s`).join(', ');
  const megabytes = ((build.SizeInBytes ?? 0) / 1e6).toFixed(1);
  const rows = [
    ['image', image['ImageUri']],
    ['digest', build.Digest],
    ['size', `${megabytes} MB (${build.SizeInBytes} bytes, compressed)`],
    ['catalogue', `${image['ImageId']}  ${image['Name']}  ${image['Status']}  workspace ${account.workspaceId}`],
    ['phases', phases],
  ];
  const active = image['Status'] === 'ACTIVE';
  say(`\n  ${active ? good('✔ published and verified') : bad('✘ not ACTIVE')}`);
  for (const [name, value] of rows) say(`    ${dim((name ?? '').padEnd(10))} ${value}`);
  return active;
}

function showFailure(build: BuildView): boolean {
  say(`\n  ${bad(`✘ the build ended as ${build.State}`)}: ${build.Error?.Code} ${build.Error?.Message}`);
  for (const line of build.Error?.LogTail ?? []) say(dim(`    ${printable(line)}`));
  if (build.Error?.Hint) say(`    ${build.Error.Hint}`);
  return false;
}
