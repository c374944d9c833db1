import type { Secret } from '@kiln/kit';
import type { RegistryAccess } from '@kiln/registry';
import { Fault } from '@kiln/domain';

/** Of a line of an error, so much is shown: a secret that was cut with it lies beyond. */
const lineShown = 2000;

/** Shorter ones would blot out half of every log. */
const charsMin = 4;

/**
 * Every way in which a secret is commonly written: as it is, each of its lines, in base64 (wherever it begins in what
 * was encoded), and URL-encoded.
 */
function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret);
  // Of base64, only the characters that no neighbour has a part in.
  const inBase64 = [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes])
      .toString('base64')
      .replace(/=+$/, '');
    const first = Math.ceil((before * 8) / 6);
    const last = Math.floor(((before + bytes.length) * 8) / 6);
    return text.slice(first, last);
  });
  const lines = secret.split(/\r?\n/).filter((it) => it.trim().length >= 8);
  const plain = [secret.trim(), ...lines, encodeURIComponent(secret.trim()), ...inBase64];
  return plain
    .flatMap((it) => [it, it.replaceAll('+', '-').replaceAll('/', '_')])
    .filter((it) => it.length >= charsMin);
}

/** Blots known secrets out of what people will read. */
export class Redaction {
  /** The longest first: one may be part of another. */
  #hidden: string[] = [];
  /** The end of a line that goes on in the next piece: it may be the beginning of a secret. */
  #held = '';

  hide(secrets: readonly Secret[]): void {
    const all = new Set([...this.#hidden, ...secrets.flatMap((it) => formsOf(it.reveal()))]);
    this.#hidden = [...all].sort((a, b) => b.length - a.length);
  }

  /** Learns the credentials of registries, as they are and as docker encodes them. */
  add(registries: readonly RegistryAccess[]): void {
    this.hide(registries.flatMap(({ credentials }) => (credentials ? [credentials.password] : [])));
  }

  text(text: string): string {
    let shown = text;
    for (const it of this.#hidden) shown = shown.replaceAll(it, '***');
    return shown;
  }

  /** @param partial whether the line was cut here, and its rest comes next */
  line(piece: string, partial: boolean): string {
    const shown = this.text(this.#held + piece);
    const keep = partial ? Math.max(0, (this.#hidden[0]?.length ?? 0) - 1) : 0;
    const at = Math.max(0, shown.length - keep);
    this.#held = shown.slice(at);
    return shown.slice(0, at);
  }

  fault(fault: Fault): Fault {
    const { step, logTail } = fault.details;
    const details = {
      ...fault.details,
      ...(step === undefined ? {} : { step: this.text(step) }),
      // A long line came in pieces, each of which may hold half of a secret.
      ...(logTail === undefined ? {} : { logTail: logTail.map((it) => this.text(it).slice(0, lineShown)) }),
    };
    return new Fault(fault.code, this.text(fault.message), details, fault.cause);
  }
}
