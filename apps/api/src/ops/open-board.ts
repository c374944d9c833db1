import { createBullBoard } from '@bull-board/api';
import { ExpressAdapter } from '@bull-board/express';
import type { BoardQueues, QueueBuilder } from '@kiln/queue';
import type { RequestHandler } from 'express';

/** The pages of the board, below a path; undefined while the queues cannot be reached. */
export function openBoard(
  queues: BoardQueues,
  path: string,
  readOnly: boolean,
  builders: QueueBuilder[],
): RequestHandler | undefined {
  const adapters = queues.adapters({ readOnly, builders });
  if (!adapters) return undefined;
  const server = new ExpressAdapter();
  server.setBasePath(path);
  createBullBoard({
    queues: adapters,
    serverAdapter: server,
    options: { uiConfig: { boardTitle: 'Kiln: jobs in the queues' } },
  });
  return server.getRouter() as RequestHandler;
}
