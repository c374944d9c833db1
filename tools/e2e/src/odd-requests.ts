import type { Operation } from '@kiln/contract';
import { encoded, pathOf, type Sent, type TestKiln } from '@kiln/stack/testing';
import fc from 'fast-check';

const oddText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.constantFrom('', ' ', '\0', '\u202e', '🦩', '%00', '%', '../../etc/passwd', "'; DROP TABLE builds; --", '__proto__', 'constructor', '${7*7}', 'null', '-1', '1e400', 'true'), // prettier-ignore
  fc.constantFrom('a', 'ü', '\ud800').map((it) => it.repeat(70_000)),
);

const oddValue = fc.oneof(oddText, fc.integer(), fc.double(), fc.boolean(), fc.constant(null), fc.constant([]), fc.constant({}), fc.jsonValue({ maxDepth: 3 })); // prettier-ignore

/** A valid example with some of its leaves or branches changed, dropped or doubled. */
const nearly = (example: unknown): fc.Arbitrary<unknown> => {
  if (Array.isArray(example))
    return fc.oneof(
      { weight: 6, arbitrary: fc.tuple(...example.map(nearly)) },
      { weight: 1, arbitrary: oddValue },
      { weight: 1, arbitrary: fc.constant([...example, ...(example as unknown[])]) },
    );
  if (typeof example === 'object' && example !== null) {
    const entries = Object.entries(example).map(([name, value]) =>
      fc.record({
        name: fc.oneof(
          { weight: 20, arbitrary: fc.constant(name) },
          { weight: 1, arbitrary: fc.constantFrom(name.toLowerCase(), name.toUpperCase(), `${name}_`) },
        ),
        keep: fc.oneof({ weight: 20, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
        value: nearly(value),
      }),
    );
    const more = fc.oneof(
      { weight: 4, arbitrary: fc.constant({}) },
      { weight: 1, arbitrary: fc.dictionary(oddText, oddValue, { maxKeys: 3 }) },
    );
    return fc.oneof(
      {
        weight: 12,
        arbitrary: fc.tuple(fc.tuple(...entries), more).map(([all, extra]) => ({
          ...extra,
          ...Object.fromEntries(all.filter((it) => it.keep).map((it) => [it.name, it.value])),
        })),
      },
      { weight: 1, arbitrary: oddValue },
    );
  }
  return fc.oneof({ weight: 12, arbitrary: fc.constant(example) }, { weight: 1, arbitrary: oddValue });
};

/** Near-valid requests for an operation, about things that are there. */
export function requestFor(
  kiln: TestKiln,
  operation: Operation,
  ids: Record<string, string>,
  example: unknown,
): fc.Arbitrary<Sent> {
  const names = [...operation.path.matchAll(/\{(\w+)\}/g)].map((it) => it[1] ?? '');
  const odd = oddText.filter((it) => it !== '' && it !== '.' && it !== '..');
  const params = fc.record(
    Object.fromEntries(
      names.map((name) => [
        name,
        fc.oneof({ weight: 8, arbitrary: fc.constant(ids[name] ?? '') }, { weight: 1, arbitrary: odd }),
      ]),
    ),
  );
  const known = Object.keys(operation.query.shape);
  const usual = ['1', '20', 'true', 'DESC', '2021-01-12T14:36:01Z', 'a=b,c=*', kiln.account.workspaceId];
  const query = fc.array(
    fc.record({
      name: fc.oneof(fc.constantFrom(...(known.length > 0 ? known : ['x'])), oddText),
      value: fc.oneof(oddText, fc.constantFrom(...usual)),
    }),
    { maxLength: 4 },
  );
  const broken = ['[', 'null', '"x"', '[]', '['.repeat(100_000), `{"a":"${'x'.repeat(1_100_000)}"}`];
  const body = fc.oneof(
    { weight: 12, arbitrary: nearly(example ?? {}).map((it) => JSON.stringify(it)) },
    { weight: 1, arbitrary: fc.string({ maxLength: 50 }) },
    { weight: 1, arbitrary: fc.constantFrom(...broken) },
  );
  const types = ['text/plain', 'application/xml', 'application/json; charset=latin1', ';'];
  const type = fc.oneof(
    { weight: 12, arbitrary: fc.constant('application/json') },
    { weight: 1, arbitrary: fc.constantFrom(...types) },
  );
  return fc.record({ params, query, body, type }).map((it) => {
    const search = it.query.map(({ name, value }) => `${encoded(name)}=${encoded(value)}`).join('&');
    return {
      method: operation.method,
      path: `${pathOf(operation, it.params)}${search ? `?${search.slice(0, 6000)}` : ''}`,
      headers: { 'content-type': it.type },
      body: operation.body || it.body.length < 100 ? it.body : undefined,
    };
  });
}
