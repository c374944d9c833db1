import type { ShownBuild } from '../follow-build.ts';
import { amount, bold, dim, green, red, seconds, yellow } from './style.ts';

const took = (build: ShownBuild): string => {
  const from = Date.parse(build.GmtCreateTime);
  const to = Date.parse(build.GmtFinishTime ?? build.GmtCreateTime);
  return seconds(to - from);
};

/** The lines of the Dockerfile that failed, with one before and after. */
function excerptOf(build: ShownBuild): string[] {
  const { FirstLine, LastLine } = build.Error ?? {};
  const config = build.Request['BuildConfig'] as { Dockerfile?: string } | undefined;
  if (FirstLine === undefined || config?.Dockerfile === undefined) return [];
  const last = LastLine ?? FirstLine;
  const lines = config.Dockerfile.split('\n');
  const width = String(last + 1).length;
  return lines.flatMap((text, index) => {
    const number = index + 1;
    if (number < FirstLine - 1 || number > last + 1) return [];
    const isFailed = number >= FirstLine && number <= last;
    const line = `${isFailed ? '>' : ' '} ${String(number).padStart(width)} │ ${text}`;
    return [isFailed ? red(line) : dim(line)];
  });
}

/** What is said of a build that has ended. */
export function endOf(build: ShownBuild): string[] {
  if (build.State === 'succeeded') {
    const size = build.SizeInBytes === undefined ? '' : `, ${amount(build.SizeInBytes)}`;
    return [
      `${green('✔')} ${bold(build.ImageUri)} ${dim(`built in ${took(build)}${size}`)}`,
      `  ${build.Digest ?? ''}`,
    ];
  }
  if (build.State === 'cancelled') return [yellow(`build ${build.ImageBuildId} was cancelled`)];
  const { Error: error } = build;
  const lines = [
    `${red('✘')} ${bold(`build ${build.ImageBuildId} ${build.State === 'failed' ? 'failed' : build.State}`)}`,
  ];
  if (!error) return lines;
  const excerpt = excerptOf(build);
  return [
    ...lines,
    '',
    ...(error.Cause === undefined ? [] : [`  ${error.Cause}`]),
    ...(error.Cause === error.Message ? [] : [dim(`  ${error.Message}`)]),
    ...(excerpt.length > 0 ? ['', ...excerpt.map((it) => `  ${it}`)] : []),
    ...(error.Excerpt && error.Excerpt.length > 0 ? ['', ...error.Excerpt.map((it) => `  │ ${it}`)] : []),
    ...(error.Hint === undefined ? [] : ['', `  ${yellow('what to do:')} ${error.Hint}`]),
  ];
}
