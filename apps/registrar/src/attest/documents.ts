import {
  type AttestationKind,
  type Contents,
  cycloneDxOf,
  predicateTypes,
  provenanceOf,
  spdxOf,
  type Statement,
  statementOf,
} from '@kiln/attestations';
import {
  type Attestation,
  type Database,
  findInspectionOf,
  listAttempts,
  listPackages,
  listSteps,
  loadBuild,
  packagesMax,
} from '@kiln/persistence';

/** What is in the image, where it could be read. */
async function contentsOf(db: Database, claim: Attestation): Promise<Contents | undefined> {
  const { accountId, host, repository, digest, arch } = claim;
  const found = await findInspectionOf(db, { accountId, host, repository, digest, arch });
  if (found?.state !== 'done' || !found.facts) return undefined;
  return {
    subject: { name: `${host}/${repository}`, digest },
    system: found.facts.os,
    packages: await listPackages(db, accountId, found.id, { limit: packagesMax }),
    layers: found.facts.layers,
    at: (found.readAt ?? found.createdAt).toISOString(),
  };
}

/** Characters; an SBOM of 40,000 packages has some ten million. */
const predicateMax = 32 << 20;

/** What Kiln says of an image that it has built; no SBOM where its layers cannot be read, or hold more than anybody reads. */
export async function documentsOf(
  db: Database,
  claim: Attestation,
): Promise<{ kind: AttestationKind; statement: Statement }[]> {
  const build = await loadBuild(db, claim.buildId);
  if (!build) throw new Error(`there is no build ${claim.buildId}`);
  const attempt = (await listAttempts(db, build.id)).at(-1);
  const steps = (await listSteps(db, build.id)).filter((it) => it.attempt === attempt?.attempt);
  const contents = await contentsOf(db, claim);
  const provenance = provenanceOf({
    id: build.id,
    request: build.request,
    builder: `urn:kiln:builder:${attempt?.worker ?? 'unknown'}`,
    startedAt: build.startedAt,
    finishedAt: attempt?.endedAt ?? build.finishedAt,
    bases: attempt?.bases ?? [],
    steps,
  });
  const all: { kind: AttestationKind; predicate: unknown }[] = [
    { kind: 'provenance', predicate: provenance },
    ...(contents
      ? ([
          { kind: 'spdx', predicate: spdxOf(contents) },
          { kind: 'cyclonedx', predicate: cycloneDxOf(contents) },
        ] as const)
      : []),
    { kind: 'signature', predicate: {} },
  ];
  const subject = { name: `${claim.host}/${claim.repository}`, digest: claim.digest };
  return all
    .filter(({ predicate }) => JSON.stringify(predicate).length <= predicateMax)
    .map(({ kind, predicate }) => ({ kind, statement: statementOf(subject, predicateTypes[kind], predicate) }));
}
