import { type Readable } from 'node:stream';
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
 * The lines of a stream as they come. A carriage return starts the line over, as on a terminal: of a progress bar, only
 * its last state is kept.
 */
export async function* linesOf(stream: Readable): AsyncGenerator<Line> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of stream) {
    rest += decoder.write(chunk as Buffer);
    const pieces = rest.split('\n');
    rest = shown(pieces.pop() ?? '');
    for (const piece of pieces) yield* cut(shown(piece.replace(/\r$/, '')));
    while (rest.length > lineCharsMax) {
      yield { text: clean(rest.slice(0, lineCharsMax)), partial: true };
      rest = rest.slice(lineCharsMax);
    }
  }
  rest += decoder.end();
  if (rest !== '') yield* cut(shown(rest.replace(/\r$/, '')));
}

// A return at the very end is kept: it may be the first half of a line end.
const shown = (line: string): string => line.slice(line.lastIndexOf('\r', line.length - 2) + 1);

const clean = (text: string): string => safeLine(text).toWellFormed();

function* cut(line: string): Generator<Line> {
  for (let from = 0; from === 0 || from < line.length; from += lineCharsMax)
    yield { text: clean(line.slice(from, from + lineCharsMax)), partial: from + lineCharsMax < line.length };
}
