/** The field that an error of the api names, as `Rules.0.KeepLast`; undefined where it names none. */
const namedField = /^([A-Z]\w*(?:\.\w+)*): (.*)$/s;

/** What the api says of a field, or of something in it, once it has refused it. */
export function errorAt(error: Error | null, field: string): string | undefined {
  const [, named = '', why] = namedField.exec(error?.message ?? '') ?? [];
  return named === field || named.startsWith(`${field}.`) ? why : undefined;
}
