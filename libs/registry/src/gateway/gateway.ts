import { AsyncResource } from 'node:async_hooks';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Fault } from '@kiln/domain';
import type { RegistryClients } from '../client/client.ts';
import { Exchange, type RequestPlace } from './exchange.ts';
import type { GatewayOptions, GatewayTarget } from './options.ts';

/**
 * What one build's engine sees of all registries: a small one with the repositories `base` to read and `image` to
 * write. Credentials, addresses and limits stay on this side.
 */
export interface Gateway {
  /** Whether a digest is one of its sources, or a part of one. */
  has: (digest: string) => boolean;
  answer: (req: IncomingMessage, res: ServerResponse, at: RequestPlace) => void;
  /** From now on, the engine may write its image there. */
  writeTo(target: GatewayTarget): void;
  /** Digest of the manifest that was pushed. */
  readonly pushed: string | undefined;
  /** What went wrong on this side since `writeTo`; what the engine says of it is vague. */
  readonly fault: Fault | undefined;
}

export function openGateway(clients: RegistryClients, options: GatewayOptions): Gateway {
  const exchange = new Exchange(clients, options);
  // What the engine asks for belongs to the phase of the build that it was asked to do.
  let phase = new AsyncResource('gateway');
  return {
    has: (digest) => exchange.has(digest),
    answer: (req, res, at) => phase.runInAsyncScope(() => void exchange.answer(req, res, at)),
    writeTo(target) {
      phase = new AsyncResource('gateway');
      exchange.writeTo(target);
    },
    get pushed() {
      return exchange.pushed;
    },
    get fault() {
      return exchange.fault;
    },
  };
}
