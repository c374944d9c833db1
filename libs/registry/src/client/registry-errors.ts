import { Fault, safeLine } from '@kiln/domain';
import { z } from 'zod';

/** Statuses that another try may change. */
const passing = new Set([408, 425, 429]);

export const isPassing = (status: number): boolean => passing.has(status) || status >= 500;

/** A try that came to nothing, and that another one may mend. */
export class PassingTrouble extends Error {
  /** How long the registry asks to be left alone, in milliseconds. */
  readonly retryAfterMs: number;

  constructor(message: string, retryAfterMs = 0) {
    super(message);
    this.retryAfterMs = retryAfterMs;
  }
}

const errorsBody = z.object({
  errors: z.array(z.object({ code: z.string().nullish(), message: z.string().nullish() })).min(1),
});
const wordsMax = 300;
/** Most bytes of a refusal that are read for its words. */
export const refusalBytesMax = 16_384;

/**
 * What a registry says of its refusal, in the form of the distribution API; empty when it says nothing that can be
 * shown.
 */
export function wordsOf(body: Buffer): string {
  let json: unknown;
  try {
    json = JSON.parse(body.toString());
  } catch {
    return '';
  }
  const { data } = errorsBody.safeParse(json);
  const words =
    data?.errors.map(({ code, message }) => [code, message].filter(Boolean).join(': ')).filter(Boolean) ?? [];
  return safeLine(words.join('; ').replace(/\s+/g, ' ')).slice(0, wordsMax).toWellFormed();
}

/** `answers 409 to PUT …: DENIED: the tag is immutable` */
export const answered = (status: number, what: string, body: Buffer | undefined): string => {
  const words = body ? wordsOf(body) : '';
  return `answers ${status} to ${what}${words && `: ${words}`}`;
};

/** A registry's answer that is neither a success nor a passing trouble: to ask again would not help. */
export const refused = (host: string, status: number, what: string, body?: Buffer): Fault =>
  new Fault('RegistryRefused', `registry ${host} ${answered(status, what, body)}`);

/** Where a registry leads is not followed; another try would be led the same way. */
export const redirectFault = (host: string, why: string): Fault =>
  new Fault('RegistryUnreachable', `registry ${host} cannot be asked: ${why}`);

/** A network error in words; the codes are Node's and undici's. Undefined for what is no network error. */
export function explain(error: unknown): string | undefined {
  if (error instanceof PassingTrouble) return error.message;
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const { code, message, name } = Object(cause) as { code?: unknown; message?: unknown; name?: unknown };
  switch (code) {
    case 'ECONNREFUSED':
      return 'connection refused';
    case 'ENOTFOUND':
      return 'its host name does not resolve';
    case 'EAI_AGAIN':
      return 'its host name cannot be looked up just now';
    case 'UND_ERR_CONNECT_TIMEOUT':
    case 'UND_ERR_HEADERS_TIMEOUT':
    case 'UND_ERR_BODY_TIMEOUT':
      return 'it did not answer in time';
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      return 'its certificate is not trusted; give the connection its CA';
    default:
      if (name === 'TimeoutError') return 'it did not answer in time';
      return typeof code === 'string' ? `${String(message)} (${code})` : undefined;
  }
}
