import { type DestinationStream, pino } from 'pino';
import { PinoPretty } from 'pino-pretty';
import { traceOfLog } from './spans.ts';

export type Logger = ReturnType<typeof openLogger>;

/**
 * Names of what nobody may read in a log, at any of the first three levels. Secrets of our own print as *** by
 * themselves.
 */
const hidden = [
  'authorization', 'cookie', 'password', 'secret', 'token', 'Token', 'accessKeySecret', 'registryAuths', 'RegistryAuths', 'auths', 'connectionString',
]; // prettier-ignore
const paths = hidden.flatMap((it) => [it, `*.${it}`, `*.*.${it}`]);

/**
 * A logger on standard output: a JSON object a line, or, with `LOG_FORMAT=pretty`, for people. `level: 'silent'` prints
 * nothing.
 * @param to where it goes instead, for tests
 */
export const openLogger = (app: string, level: string, to: DestinationStream = destination()) =>
  pino(
    {
      level,
      base: { app, pid: process.pid },
      mixin: traceOfLog,
      redact: { paths: [...paths, 'req.headers["x-auth-token"]'], censor: '***' },
    },
    to,
  );

function destination(): DestinationStream {
  if (process.env['LOG_FORMAT'] !== 'pretty') return pino.destination(1);
  const isTerminal = process.stdout.isTTY;
  return PinoPretty({
    sync: true,
    colorize: isTerminal,
    ignore: 'pid',
    translateTime: 'SYS:HH:MM:ss.l',
    singleLine: true,
  });
}
