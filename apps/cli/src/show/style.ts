import { styleText } from 'node:util';

type Format = Parameters<typeof styleText>[0];

/** Whether what is written there is read by people, in colours. */
const isColoured = (stream: NodeJS.WriteStream): boolean =>
  stream.isTTY && process.env['NO_COLOR'] === undefined && process.env['TERM'] !== 'dumb';

const styled =
  (format: Format) =>
  (text: string, stream: NodeJS.WriteStream = process.stderr): string =>
    isColoured(stream) ? styleText(format, text) : text;

export const bold = styled('bold');
export const dim = styled('dim');
export const red = styled('red');
export const green = styled('green');
export const yellow = styled('yellow');
export const blue = styled('blue');

const units = ['B', 'kB', 'MB', 'GB', 'TB'];
/** An amount as people say it: 12.3 MB. */
export function amount(bytes: number): string {
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), units.length - 1);
  const number = bytes / 1000 ** power;
  return `${power === 0 ? number : number.toFixed(1)} ${units[power] ?? ''}`;
}

/** Seconds as a step's time is written: 0.4s, 12.0s, 3m05s. */
export const seconds = (ms: number): string =>
  ms < 60_000
    ? `${(ms / 1000).toFixed(1)}s`
    : `${Math.floor(ms / 60_000)}m${String(Math.floor((ms % 60_000) / 1000)).padStart(2, '0')}s`;
