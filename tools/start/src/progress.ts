import { styleText } from 'node:util';

const tty = process.stdout.isTTY;
const paint = (style: Parameters<typeof styleText>[0], text: string) => (tty ? styleText(style, text) : text);

export const bold = (text: string): string => paint('bold', text);
export const dim = (text: string): string => paint('dim', text);
export const good = (text: string): string => paint('green', text);
export const bad = (text: string): string => paint('red', text);

/** Text without what could move the cursor or change the terminal: logs are other people's. */
export const printable = (text: string): string =>
  text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '');

export const say = (line = ''): void => void process.stdout.write(`${line}\n`);

const elapsed = (sinceMs: number): string => `${((Date.now() - sinceMs) / 1000).toFixed(1)} s`;

/** Runs a step and shows it as one line: while it runs (on a terminal), and with what came of it. */
export async function step<T>(
  title: string,
  work: () => Promise<T>,
  describe: (result: T) => string = () => '',
): Promise<T> {
  const started = Date.now();
  const show = () => process.stdout.write(`\r\u001b[K  … ${title}  ${dim(elapsed(started))}`);
  const timer = tty ? setInterval(show, 200) : undefined;
  const clear = () => {
    clearInterval(timer);
    if (tty) process.stdout.write('\r\u001b[K');
  };
  try {
    const result = await work();
    clear();
    const text = describe(result);
    say(`  ${good('✔')} ${title}${text ? `  ${text}` : ''}  ${dim(elapsed(started))}`);
    return result;
  } catch (error) {
    clear();
    say(`  ${bad('✘')} ${title}  ${dim(elapsed(started))}`);
    throw error;
  }
}
