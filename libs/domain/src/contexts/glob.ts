/** A part of a pattern: what one character has to be, or a stretch that may be left out. */
type Token = ((char: string) => boolean) | 'name' | 'folders' | 'rest';

const notSlash = (char: string): boolean => char !== '/';

/** A class such as `[a-z]` or `[^0-9]`, and where it ends; undefined where it is malformed. */
function classAt(chars: readonly string[], start: number): { token: Token; end: number } | undefined {
  let at = start + 1;
  const isNegated = chars[at] === '^';
  if (isNegated) at += 1;
  const ranges: [low: number, high: number][] = [];
  const next = (): number | undefined => {
    if (chars[at] === '\\') at += 1;
    const code = chars[at]?.codePointAt(0);
    at += 1;
    return code;
  };
  while (chars[at] !== ']' || ranges.length === 0) {
    if (chars[at] === undefined || chars[at] === '-' || chars[at] === ']') return undefined;
    const low = next();
    let high = low;
    if (chars[at] === '-') {
      at += 1;
      if (chars[at] === ']') return undefined;
      high = next();
    }
    if (low === undefined || high === undefined) return undefined;
    ranges.push([low, high]);
  }
  const token = (char: string): boolean => {
    const code = char.codePointAt(0) ?? 0;
    return ranges.some(([low, high]) => low <= code && code <= high) !== isNegated;
  };
  return { token, end: at };
}

/** A pattern's tokens, or undefined where it is malformed. */
function tokensOf(chars: readonly string[]): Token[] | undefined {
  const tokens: Token[] = [];
  for (let at = 0; at < chars.length; at += 1) {
    const char = chars[at] ?? '';
    if (char === '*' && chars[at + 1] === '*') {
      at += chars[at + 2] === '/' ? 2 : 1;
      tokens.push(at + 1 >= chars.length ? 'rest' : 'folders');
    } else if (char === '*') tokens.push('name');
    else if (char === '?') tokens.push(notSlash);
    else if (char === '[') {
      const found = classAt(chars, at);
      if (!found) return undefined;
      tokens.push(found.token);
      at = found.end;
    } else if (char === '\\') {
      at += 1;
      const escaped = chars[at];
      if (escaped === undefined) return undefined;
      tokens.push((it) => it === escaped);
    } else tokens.push((it) => it === char);
  }
  return tokens;
}

/** Whether a path is what the tokens say, in one pass over it with all places that it may have come to. */
function isMatch(tokens: readonly Token[], path: readonly string[]): boolean {
  /** Adds a place, and those that can be reached from it without a character. */
  const reach = (places: Set<number>, place: number): void => {
    if (places.has(place)) return;
    places.add(place);
    if (typeof tokens[place] === 'string') reach(places, place + 1);
  };
  let places = new Set<number>();
  reach(places, 0);
  // Within `folders`, and not after a slash: nothing else can begin here.
  let inside = new Set<number>();
  for (const char of path) {
    const nextPlaces = new Set<number>();
    const nextInside = new Set<number>();
    for (const place of [...places, ...inside]) {
      const token = tokens[place];
      if (token === undefined) continue;
      if (token === 'folders') {
        nextInside.add(place);
        if (char === '/') reach(nextPlaces, place + 1);
      } else if (token === 'rest') reach(nextPlaces, place);
      else if (token === 'name') {
        if (char !== '/') reach(nextPlaces, place);
      } else if (token(char)) reach(nextPlaces, place + 1);
    }
    [places, inside] = [nextPlaces, nextInside];
  }
  return places.has(tokens.length);
}

/**
 * A pattern of an ignore file, as Docker matches it against one path: `*` and `?` stop at slashes, `**` does not.
 * @returns undefined where the pattern is malformed
 */
export function globOf(pattern: string): ((path: string) => boolean) | undefined {
  const chars = [...pattern];
  const tokens = tokensOf(chars);
  if (!tokens) return undefined;
  const isPlain = (part: string): boolean => !/[*?[\]\\]/.test(part);
  if (isPlain(pattern)) return (path) => path === pattern;
  // Docker compares these as text: the stars stand for anything, also within a name.
  if (pattern.startsWith('**') && isPlain(pattern.slice(2))) {
    const end = pattern.slice(2);
    return (path) => path.endsWith(end) || (end.startsWith('/') && path === end.slice(1));
  }
  const beginning = pattern.replace(/\*\*\/?$/, '');
  if (beginning !== pattern && isPlain(beginning)) return (path) => path.startsWith(beginning);
  return (path) => isMatch(tokens, [...path]);
}
