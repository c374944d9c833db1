import { type RegistryAccess } from '@kiln/registry';
import { Fault } from '@kiln/schemas';

/** Blots known secrets out of what people will read. */
export class Redaction {
  readonly #hidden = new Set<string>();

  /** Learns the credentials of registries, as they are and as docker encodes them. */
  add(registries: RegistryAccess[]): void {
    for (const { credentials } of registries) {
      const password = credentials?.password.reveal() ?? '';
      // Shorter ones would blot out half of every log.
      if (!credentials || password.length < 4) continue;
      this.#hidden.add(password);
      this.#hidden.add(Buffer.from(`${credentials.username}:${password}`).toString('base64'));
    }
  }

  text(text: string): string {
    let shown = text;
    for (const it of this.#hidden) shown = shown.replaceAll(it, '***');
    return shown;
  }

  fault(fault: Fault): Fault {
    const { step, logTail } = fault.details;
    const details = {
      ...fault.details,
      ...(step === undefined ? {} : { step: this.text(step) }),
      ...(logTail === undefined ? {} : { logTail: logTail.map((it) => this.text(it)) }),
    };
    return new Fault(fault.code, this.text(fault.message), details, fault.cause);
  }
}
