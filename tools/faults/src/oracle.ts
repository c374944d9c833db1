import type { FaultKiln } from './fault-kiln.ts';
import { findLeftovers } from '@kiln/stack/testing';

/**
 * What is wrong, in words; nothing when all is well. It is read from SQL, the registry and the host, never from the
 * API.
 */
export interface Verdict {
  /** Accepted builds without an end. */
  lost: string[];
  /** What was done twice, or in the wrong order. */
  doubled: string[];
  /** What dead builds left on the host. */
  leftovers: string[];
}

interface Row {
  id: string;
  what: string;
}

const doubledChecks: Record<string, string> = {
  'has not exactly one end in its history, or something after it': `
    SELECT b.id, string_agg(e.state, ' ' ORDER BY e.id) AS what FROM builds b LEFT JOIN build_events e ON e.build_id = b.id
    WHERE b.id = ANY($1) GROUP BY b.id, b.state
    HAVING count(*) FILTER (WHERE e.state IN ('succeeded', 'failed', 'cancelled', 'timed_out', 'expired')) <> 1
      OR (array_agg(e.state ORDER BY e.id DESC))[1] IS DISTINCT FROM b.state`,
  'has not exactly as many catalogue entries as its end says': `
    SELECT b.id, b.state || ' with ' || count(i.id) AS what FROM builds b LEFT JOIN images i ON i.build_id = b.id
    WHERE b.id = ANY($1) GROUP BY b.id, b.state HAVING count(i.id) <> (b.state = 'succeeded')::int`,
  'moved its tag though it did not succeed, or did not though it did': `
    SELECT b.id, b.state || ' with ' || count(t.build_id) AS what FROM builds b LEFT JOIN tag_moves t ON t.build_id = b.id
    WHERE b.id = ANY($1) GROUP BY b.id, b.state
    HAVING count(t.build_id) <> (b.state = 'succeeded')::int AND NOT (b.state IN ('failed', 'timed_out') AND count(t.build_id) = 1)`,
  'has attempts that do not follow one another': `
    SELECT build_id AS id, string_agg(attempt || ':' || fence, ' ' ORDER BY attempt) AS what FROM build_attempts
    WHERE build_id = ANY($1) GROUP BY build_id
    HAVING max(attempt) <> count(*) OR array_agg(fence ORDER BY attempt) <> array_agg(fence ORDER BY fence)
      OR count(*) FILTER (WHERE ended_at IS NULL) > 0`,
  'was pushed by an attempt without a log': `
    SELECT a.build_id AS id, a.attempt::text AS what FROM build_attempts a WHERE a.build_id = ANY($1) AND a.outcome = 'pushed'
      AND NOT EXISTS (SELECT 1 FROM build_log_chunks c WHERE c.build_id = a.build_id AND c.attempt = a.attempt)`,
  'has a gap in the log of an attempt': `
    SELECT build_id AS id, attempt || ': ' || string_agg(seq::text, ' ' ORDER BY seq) AS what FROM build_log_chunks
    WHERE build_id = ANY($1) GROUP BY build_id, attempt
    HAVING max(seq) <> count(*) - 1 OR sum(cardinality(line_times)) <> max(first_line + cardinality(line_times))`,
};

export async function judge(kiln: FaultKiln, ids: readonly string[]): Promise<Verdict> {
  const rows = await kiln.sql<Row>(
    `SELECT it.id, coalesce(b.state, 'no row') AS what FROM unnest($1::text[]) AS it (id) LEFT JOIN builds b ON b.id = it.id
     WHERE b.state IS NULL OR b.state NOT IN ('succeeded', 'failed', 'cancelled', 'timed_out', 'expired')`,
    [ids],
  );
  const lost = rows.map((it) => `${it.id}: ${it.what}`);
  const doubled: string[] = [];
  for (const [what, check] of Object.entries(doubledChecks))
    for (const it of await kiln.sql<Row>(check, [ids])) doubled.push(`${it.id} ${what} (${it.what})`);
  doubled.push(...(await checkRegistry(kiln, ids)));
  return { lost, doubled, leftovers: await findLeftovers(kiln.builderDirs()) };
}

/** Every tag points to its last move, and every published digest is there. */
async function checkRegistry(kiln: FaultKiln, ids: readonly string[]): Promise<string[]> {
  const wrong: string[] = [];
  const digestOf = async (repository: string, reference: string): Promise<string | null> => {
    const answer = await fetch(`http://${kiln.registryHost}/v2/${repository}/manifests/${reference}`, {
      method: 'HEAD',
      headers: { accept: 'application/vnd.oci.image.manifest.v1+json' },
    });
    return answer.ok ? answer.headers.get('docker-content-digest') : null;
  };
  const published = await kiln.sql<{ id: string; repository: string; digest: string }>(
    `SELECT id, repository, digest FROM builds WHERE id = ANY($1) AND state = 'succeeded'`,
    [ids],
  );
  for (const { id, repository, digest } of published)
    if ((await digestOf(repository, digest)) !== digest) wrong.push(`${id}: the registry does not hold ${digest}`);
  const tags = await kiln.sql<{ repository: string; tag: string; digest: string }>(
    `SELECT DISTINCT ON (host, repository, tag) repository, tag, digest FROM tag_moves ORDER BY host, repository, tag, seq DESC`,
  );
  for (const { repository, tag, digest } of tags) {
    const found = await digestOf(repository, tag);
    if (found !== digest) wrong.push(`${repository}:${tag} is ${found ?? 'gone'}, and its last move was to ${digest}`);
  }
  return wrong;
}
