import type { inspectionOperations, Reply } from '@kiln/contract';
import { amount, bold, dim, green, red, yellow } from './style.ts';

export type ShownInspection = Omit<Reply<typeof inspectionOperations.GetInspection>, 'RequestId'>;
type Result = ShownInspection['Profiles'][number];

const out = process.stdout;

function mark({ Result: result, Severity }: Result['Checks'][number]): string {
  if (result === 'pass') return green('✔', out);
  if (result === 'not-applicable') return dim('–', out);
  if (result === 'unknown') return yellow('?', out);
  return Severity === 'error' ? red('✘', out) : yellow('!', out);
}

const verdicts = {
  pass: () => green('passes', out),
  warn: () => yellow('passes, with warnings', out),
  fail: () => red('fails', out),
  unknown: () => yellow('cannot be told', out),
};

function ofProfile({ Title, Verdict, Checks, Notes }: Result): string[] {
  const width = Math.max(...Checks.map((it) => it.Rule.length));
  return [
    '',
    `${bold(Title, out)}: ${verdicts[Verdict]()}`,
    ...Checks.flatMap((it) => [
      `  ${mark(it)} ${it.Rule.padEnd(width)}  ${it.Title}`,
      ...(it.Result === 'pass' ? [] : [`    ${' '.repeat(width)}  ${dim(it.Found, out)}`]),
      ...(it.Fix ?? []).map((line) => `    ${' '.repeat(width)}    ${line}`),
    ]),
    ...Notes.map((it) => `  ${dim(`i ${it}`, out)}`),
  ];
}

/** What is in an image, in some lines, and how it does by each profile. */
export function checklist({ Image, Platform, Facts, Denied, Profiles }: ShownInspection): string {
  const about = Facts && [
    Facts.Os?.Name,
    Platform,
    amount(Facts.Layers.reduce((sum, it) => sum + it.Size, 0)),
    ...Facts.Pythons.map((it) => `Python ${it.Version}`),
    ...Facts.Frameworks.map((it) => `${it.Name} ${it.Version}${it.Cuda ? ` (CUDA ${it.Cuda})` : ''}`),
    ...Facts.Cuda.map((it) => `CUDA ${it.Version}`),
  ];
  const secrets = (Facts?.Secrets ?? []).map((it) => yellow(`${it.Path} looks like a key (${it.Kind})`, out));
  const denied = (Denied ?? []).map((it) =>
    yellow(`the label ${it.Key} says ${it.Claimed}, and it is ${it.Found}`, out),
  );
  return [
    Image,
    ...(about ? [dim(about.filter(Boolean).join(' · '), out)] : []),
    ...secrets,
    ...denied,
    ...Profiles.flatMap(ofProfile),
  ].join('\n');
}
