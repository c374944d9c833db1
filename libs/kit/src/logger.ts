import { pino } from 'pino';

export type Logger = ReturnType<typeof openLogger>;

/** A JSON logger on standard output. `level: 'silent'` prints nothing. */
export const openLogger = (app: string, level: string) =>
  pino({ level, base: { app, pid: process.pid }, redact: ['req.headers.authorization', '*.password'] });
