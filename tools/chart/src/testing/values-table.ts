import type { Values } from './helm.ts';
import { fieldsOf, readDefaults, readSchema } from './values-schema.ts';

const defaultAt = (values: Values, path: string): unknown =>
  path.split('.').reduce<unknown>((at, step) => (at as Values | undefined)?.[step], values);

const cell = (text: string): string => text.replaceAll('|', '\\|');
const asCode = (value: unknown): string => (value === undefined ? '' : `\`${JSON.stringify(value)}\``);

/** The table of README.md: all values with their types and defaults, in the order of the schema. */
export function valuesTable(): string {
  const defaults = readDefaults();
  const rows = fieldsOf(readSchema()).map(({ path, type, description }) => {
    const value = defaultAt(defaults, path);
    return `| \`${path}\` | ${cell(type)} | ${cell(asCode(value))} | ${cell(description)} |`;
  });
  return ['| value | type | default | meaning |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

/** Values of values.yaml that the schema does not have, or has without a default. */
export function disagreements(): string[] {
  const places = new Set(fieldsOf(readSchema()).map((it) => it.path));
  // They have no default: Helm adds the one, and each pool says the other itself.
  const without = new Set(['global', 'builders.defaults.pool']);
  const defaults = readDefaults();
  const missing = [...places].filter((it) => !without.has(it) && defaultAt(defaults, it) === undefined);
  const visit = (value: unknown, path: string): string[] => {
    if (places.has(path)) return [];
    if (typeof value !== 'object' || value === null) return [path];
    return Object.entries(value).flatMap(([key, it]) => visit(it, path === '' ? key : `${path}.${key}`));
  };
  return [...missing, ...visit(defaults, '')];
}
