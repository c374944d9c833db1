import type { Queue, Worker, WorkerOptions } from 'bullmq';

/** Where jobs wait and through which signals pass: Redis or PostgreSQL, behind BullMQ's one interface. */
export interface Broker {
  kind: 'redis' | 'postgres';
  /** A queue to add jobs to and to look at; the caller closes it. */
  openQueue(name: string): Queue;
  /** Takes jobs of a queue as soon as its `run` is called, on a connection of its own; the caller closes it. */
  openWorker(name: string, process: ProcessJob, options: WorkOptions): Worker;
  /** Gives up a worker that waits for ever, with its connection. */
  discardWorker(worker: Worker): void;
  /** Whether a queue that is made now becomes usable: one that is made while Redis is away does not. */
  isReachable(): boolean;
  /** Whether it still has the mark that `mark` left: it goes when the server loses what it knew. */
  isMarked(): Promise<boolean>;
  mark(): Promise<void>;
  /** Tells every process that has subscribed. Not kept for those that have not. */
  publish(messages: Message[]): Promise<void>;
  /** Listens from now on, again after each loss of the connection; the answer stops it. */
  subscribe(topics: readonly string[], listen: (message: Message) => void): () => void;
  close: () => Promise<void>;
}

export interface Message {
  topic: string;
  id: string;
}

export type ProcessJob = (job: { id?: string | undefined; data: unknown }) => Promise<void>;
export type WorkOptions = Omit<WorkerOptions, 'connection' | 'prefix' | 'autorun' | 'drainDelay'>;
