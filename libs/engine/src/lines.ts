import { StringDecoder } from 'node:string_decoder';
import { safeLine } from '@kiln/domain';

/** Longer lines are cut into pieces of this many characters. */
export const lineCharsMax = 8192;

/** A line, or a piece of one that is too long. */
export interface Line {
  text: string;
  /** Whether it was cut here, and its rest comes next. */
  partial: boolean;
}

/**
 * Makes lines of bytes as they come. A carriage return starts the line over, as on a terminal: of a progress bar, only
 * its last state is kept.
 */
export class LineSplitter {
  readonly #decoder = new StringDecoder('utf8');
  #rest = '';

  /** @returns the lines that these bytes complete */
  take(bytes: Buffer): Line[] {
    const pieces = (this.#rest + this.#decoder.write(bytes)).split('\n');
    this.#rest = shown(pieces.pop() ?? '');
    const lines = pieces.flatMap((it) => cut(shown(it.replace(/\r$/, ''))));
    while (this.#rest.length > lineCharsMax) {
      lines.push({ text: clean(this.#rest.slice(0, lineCharsMax)), partial: true });
      this.#rest = this.#rest.slice(lineCharsMax);
    }
    return lines;
  }

  /** @returns what is left without a line end */
  end(): Line[] {
    const rest = this.#rest + this.#decoder.end();
    this.#rest = '';
    return rest === '' ? [] : cut(shown(rest.replace(/\r$/, '')));
  }
}

// A return at the very end is kept: it may be the first half of a line end.
const shown = (line: string): string => line.slice(line.lastIndexOf('\r', line.length - 2) + 1);

const clean = (text: string): string => safeLine(text).toWellFormed();

function cut(line: string): Line[] {
  const pieces: Line[] = [];
  for (let from = 0; from === 0 || from < line.length; from += lineCharsMax)
    pieces.push({ text: clean(line.slice(from, from + lineCharsMax)), partial: from + lineCharsMax < line.length });
  return pieces;
}
