import type { VerifiedAttestations } from '../commands/verify-attestations.ts';
import { bold, dim, green, red } from './style.ts';

const out = process.stdout;

/** A line for each document, and why one is not to be trusted. */
export function attestationList({ Image, Attestations }: VerifiedAttestations): string {
  const width = Math.max(...Attestations.map((it) => it.Kind.length));
  return [
    bold(Image, out),
    ...Attestations.map((it) =>
      it.Verified
        ? `  ${green('✔', out)} ${it.Kind.padEnd(width)}  ${dim(`signed by ${it.KeyId ?? ''}`, out)}`
        : `  ${red('✘', out)} ${it.Kind.padEnd(width)}  ${it.Reason ?? ''}`,
    ),
  ].join('\n');
}
