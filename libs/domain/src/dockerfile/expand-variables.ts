/** Values of variables by name; one that is set and empty is there. */
export type Variables = ReadonlyMap<string, string>;

/** A word that cannot be expanded, with the reason. */
export class BadSubstitution extends Error {}

interface Found {
  value: string;
  /** Where the text goes on. */
  end: number;
}

/** What stands between a brace that is open at `from` and the one that closes it. */
function untilBrace(text: string, from: number, escape: string): Found {
  let depth = 1;
  for (let at = from; at < text.length; at += 1) {
    if (text[at] === escape) at += 1;
    else if (text.startsWith('${', at)) depth += 1;
    else if (text[at] === '}') depth -= 1;
    if (depth === 0) return { value: text.slice(from, at), end: at + 1 };
  }
  throw new BadSubstitution(`${JSON.stringify(text)} has a brace that is not closed`);
}

/** A pattern of the shell as a regular expression; `greedy` says what * takes of several possible ends. */
function patternOf(glob: string, greedy: boolean): string {
  return glob.replace(/\\(.)|[\s\S]/g, (character, escaped?: string) => {
    if (escaped !== undefined) return escaped.replace(/[^\w\s]/g, '\\$&');
    if (character === '*') return greedy ? '[\\s\\S]*' : '[\\s\\S]*?';
    if (character === '?') return '[\\s\\S]';
    return character.replace(/[^\w\s]/g, '\\$&');
  });
}

function withoutPrefix(value: string, glob: string, longest: boolean): string {
  return value.replace(new RegExp(`^${patternOf(glob, longest)}`), '');
}

function withoutSuffix(value: string, glob: string, longest: boolean): string {
  const whole = new RegExp(`^${patternOf(glob, true)}$`);
  const starts = Array.from({ length: value.length + 1 }, (_, n) => (longest ? n : value.length - n));
  const start = starts.find((it) => whole.test(value.slice(it)));
  return start === undefined ? value : value.slice(0, start);
}

function replaced(value: string, rest: string): string {
  const all = rest.startsWith('/');
  const [, pattern = '', by = ''] = /^((?:\\.|[^/\\])*)\/?([\s\S]*)$/.exec(all ? rest.slice(1) : rest) ?? [];
  if (pattern === '') return value;
  return value.replace(new RegExp(patternOf(pattern, true), all ? 'g' : ''), () => by);
}

/** What `${NAME…}` stands for. */
function substitute(inner: string, variables: Variables, escape: string): string {
  const [, name = '', operator = '', rest = ''] = /^(\w+)(:[-+?]|[-+?]|##?|%%?|\/)?([\s\S]*)$/.exec(inner) ?? [];
  if (name === '' || (operator === '' && rest !== '')) throw new BadSubstitution(`\${${inner}} is not supported`);
  const value = variables.get(name);
  const isThere = operator.startsWith(':') ? Boolean(value) : value !== undefined;
  const word = () => expandVariables(rest, variables, escape);
  switch (operator) {
    case ':-':
    case '-':
      return isThere ? (value ?? '') : word();
    case ':+':
    case '+':
      return isThere ? word() : '';
    case ':?':
    case '?':
      if (isThere) return value ?? '';
      throw new BadSubstitution(`${name}: ${word() || 'is not allowed to be unset'}`);
    case '#':
    case '##':
      return withoutPrefix(value ?? '', word(), operator === '##');
    case '%':
    case '%%':
      return withoutSuffix(value ?? '', word(), operator === '%%');
    case '/':
      return replaced(value ?? '', word());
    default:
      return value ?? '';
  }
}

/**
 * Expands a word of a Dockerfile as BuildKit does: quotes and escapes go, `$NAME`, `${NAME}` and their modifiers become
 * values, also within each other. What is not set is empty.
 * @throws BadSubstitution
 */
export function expandVariables(text: string, variables: Variables, escape = '\\'): string {
  let result = '';
  let quote = '';
  for (let at = 0; at < text.length;) {
    const character = text[at] ?? '';
    if (quote === "'") {
      if (character === "'") quote = '';
      else result += character;
      at += 1;
    } else if (character === escape && at + 1 < text.length) {
      const next = text[at + 1] ?? '';
      // Within double quotes, an escape stands for itself before what is nothing special.
      result += quote === '"' && !['"', '$', escape].includes(next) ? character + next : next;
      at += 2;
    } else if (character === '"' || (character === "'" && quote === '')) {
      quote = quote === character ? '' : character;
      at += 1;
    } else if (text.startsWith('${', at)) {
      const { value, end } = untilBrace(text, at + 2, escape);
      result += substitute(value, variables, escape);
      at = end;
    } else if (character === '$') {
      const [name = ''] = /^(?:[A-Za-z_]\w*|[0-9@*#?!-])/.exec(text.slice(at + 1)) ?? [];
      result += name === '' ? '$' : (variables.get(name) ?? '');
      at += 1 + name.length;
    } else {
      result += character;
      at += 1;
    }
  }
  return result;
}
