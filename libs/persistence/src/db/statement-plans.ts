import type pg from 'pg';

type Query = (...given: unknown[]) => unknown;

/** Changes what a connection is asked; `hasValues` says whether it is one statement with values. */
function changeQueries(
  client: pg.PoolClient,
  change: (query: pg.QueryConfig, hasValues: boolean) => pg.QueryConfig,
): void {
  const query = client.query.bind(client) as Query;
  client.query = ((first: unknown, ...rest: unknown[]) => {
    if (first === null || (typeof first === 'object' && 'submit' in first)) return query(first, ...rest);
    const asked = typeof first === 'string' ? { text: first } : (first as pg.QueryConfig<unknown[]>);
    const [values = 'values' in asked ? asked.values : undefined] = rest;
    return query(change(asked, Array.isArray(values) && values.length > 0), ...rest);
  }) as pg.PoolClient['query'];
}

/** Of a pooler: a named statement is planned for a session, which the next one does not have. */
export const planEachAnew = (client: pg.PoolClient): void =>
  changeQueries(client, ({ name: _, ...unnamed }) => unnamed);

/** How often a connection runs a statement until PostgreSQL is to keep it. */
const oftenFrom = 3;
/** How many different ones are counted; those with lists of values are many. */
const countedMax = 1000;
/** How many are kept: each takes some memory of the server, for each connection. */
const keptMax = 150;

/**
 * Gives names to the statements with values that a connection runs again and again, so that PostgreSQL does not parse and
 * plan them each time: that takes longer than most of them, with the wall between accounts in each. After five plans for
 * the values at hand, PostgreSQL makes one for any values, and keeps it where that one is no dearer.
 */
export function planOnce(client: pg.PoolClient): void {
  const times = new Map<string, number>();
  const names = new Map<string, string>();
  changeQueries(client, (query, hasValues) => {
    const { text } = query;
    if (query.name !== undefined || !hasValues) return query;
    const known = names.get(text);
    if (known !== undefined) return { ...query, name: known };
    const n = (times.get(text) ?? 0) + 1;
    if (n < oftenFrom || names.size >= keptMax) {
      if (times.size < countedMax) times.set(text, n);
      return query;
    }
    const name = `often-${names.size}`;
    names.set(text, name);
    times.delete(text);
    return { ...query, name };
  });
}

/** A table has another form than when a kept statement was planned: the connection has to be replaced. */
export const isStalePlan = (error: unknown): boolean =>
  error instanceof Error && (/cached plan must not change result type/.test(error.message) || isStalePlan(error.cause));
