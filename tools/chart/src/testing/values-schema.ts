import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { chart, type Values } from './helm.ts';

/** What the chart uses of JSON Schema. */
export interface SchemaNode {
  type?: string | string[];
  enum?: string[];
  description?: string;
  properties?: Record<string, SchemaNode>;
  additionalProperties?: boolean | SchemaNode;
  $ref?: string;
}
export interface Schema extends SchemaNode {
  definitions: Record<string, SchemaNode>;
}

/** A value that an operator can set. */
export interface Field {
  path: string;
  type: string;
  description: string;
}

const read = (name: string): string => readFileSync(join(chart, name), 'utf8');
export const readSchema = (): Schema => JSON.parse(read('values.schema.json')) as Schema;
export const readDefaults = (): Values => parse(read('values.yaml')) as Values;

/** A node with what its $ref names; its own words win. */
function resolved(schema: Schema, node: SchemaNode): SchemaNode {
  if (node.$ref === undefined) return node;
  const name = node.$ref.replace('#/definitions/', '');
  const found = schema.definitions[name];
  if (!found) throw new Error(`the schema has no definition ${name}`);
  return { ...resolved(schema, found), ...(node.description === undefined ? {} : { description: node.description }) };
}

const below = (path: string, key: string): string => (path === '' ? key : `${path}.${key}`);
// Kubernetes' own shapes, and Kiln's platform file: rows of the whole, not of each part.
const whole = new Set(['affinity', 'resources', 'document']);

/**
 * The objects of the schema that are not items of lists, with their places in the values.
 * @param maps places of maps whose entries are looked at, too
 */
export function objectsIn(schema: Schema, maps: readonly string[]): { path: string; node: SchemaNode }[] {
  const found: { path: string; node: SchemaNode }[] = [];
  const visit = (node: SchemaNode, path: string): void => {
    if (![node.type].flat().includes('object')) return;
    found.push({ path, node });
    for (const [key, it] of Object.entries(node.properties ?? {})) visit(resolved(schema, it), below(path, key));
    const rest = below(path, '*');
    if (typeof node.additionalProperties === 'object' && maps.includes(rest))
      visit(resolved(schema, node.additionalProperties), rest);
  };
  visit(schema, '');
  return found;
}

const typeOf = ({ type = '', enum: words }: SchemaNode): string =>
  words
    ? words.map((it) => `\`${it}\``).join(', ')
    : [type]
        .flat()
        .filter((it) => it !== 'null')
        .join(' or ');

/** All values by their places, as the schema has them. */
export function fieldsOf(schema: Schema): Field[] {
  const visit = (node: SchemaNode, path: string, key: string): Field[] => {
    const { properties, description = '' } = node;
    if (properties && !whole.has(key))
      return Object.entries(properties).flatMap(([name, it]) => {
        const child = resolved(schema, it);
        // Of what is used in several places, the words of the place say which one it is.
        const prefix = it.$ref && child.properties && it.description ? `${it.description}: ` : '';
        return visit(child, below(path, name), name).map((field) => ({
          ...field,
          description: prefix + field.description,
        }));
      });
    return [{ path, type: typeOf(node), description }];
  };
  return visit(schema, '', '');
}
