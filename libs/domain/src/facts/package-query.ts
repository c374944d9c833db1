import { fieldFault } from '../errors/fault.ts';
import { packageKey } from './versions.ts';

type Operator = '<=' | '>=' | '==' | '=' | '<' | '>';

/** What an image has to have: a package, of some versions of it. */
export interface PackageCondition {
  nameKey: string;
  /** `=` asks for versions that begin so: 3.11 for 3.11.9, too. */
  operator: Operator | undefined;
  /** The numbers of the version, with zeros. */
  numbers: number[];
}

const conditionsMax = 10;

/**
 * Reads `torch<2.6, python=3.11`.
 * @param field for errors
 * @throws Fault InvalidParameter
 */
export function parsePackageQuery(text: string, field: string): PackageCondition[] {
  const wrong = (why: string) =>
    fieldFault('InvalidParameter', field, `${why}; it is a list of conditions as torch<2.6, python=3.11`);
  const parts = text
    .split(',')
    .map((it) => it.trim())
    .filter(Boolean);
  if (parts.length === 0) throw wrong('has no condition');
  if (parts.length > conditionsMax) throw wrong(`has more than ${conditionsMax} conditions`);
  return parts.map((part) => {
    const [, name, operator, version] = /^([^<>=\s]+)\s*(?:(<=|>=|==|=|<|>)\s*(\S+))?$/.exec(part) ?? [];
    if (name === undefined) throw wrong(`${JSON.stringify(part)} cannot be read`);
    if (version === undefined) return { nameKey: packageKey(name), operator: undefined, numbers: [] };
    if (!/^\d{1,9}(?:\.\d{1,9}){0,5}$/.test(version))
      throw wrong(`${JSON.stringify(version)} is no version of numbers`);
    return { nameKey: packageKey(name), operator: operator as Operator, numbers: version.split('.').map(Number) };
  });
}
