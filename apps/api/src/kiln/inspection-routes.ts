import { randomUUID } from 'node:crypto';
import { inspectionOperations } from '@kiln/contract';
import {
  asRecord,
  categoriesOf,
  Fault,
  formatImageName,
  formatReference,
  parsePackageQuery,
  parseReference,
  type Profile,
  profilesOfImage,
} from '@kiln/domain';
import {
  addInspection,
  countInspections,
  type Database,
  findInspection,
  findInspectionOf,
  findVersionBefore,
  type Image,
  type Inspection,
  listPackages,
  packagesMax,
  searchPackages,
  showImage,
} from '@kiln/persistence';
import type { CheckRegistryHost } from '@kiln/registry';
import { showCheck } from '@kiln/usecases';
import type { Caller } from '../callers/caller.ts';
import { type Route, route } from '../http/dialect.ts';
import { optional } from '../http/optional.ts';
import { renderComparison, type ShownContents } from './render-comparison.ts';
import { renderInspection } from './render-inspection.ts';
import { requireImage } from '../usecases/require-image.ts';

interface InspectionDeps {
  db: Database;
  /** An image that others may see belongs to an account of its own, and so does what is known of it. */
  systemDb: Database;
  profiles: readonly Profile[];
  checkRegistryHost: CheckRegistryHost;
}

/** Images of an account that may wait to be read, beside those of the catalogue. */
const waitingMax = 20;

/** A reference by tag or by digest. @throws Fault that names the field */
function readImageUri(uri: string): { host: string; repository: string; reference: string } {
  const pinned = /^(.*?)(?::[\w.-]+)?@(sha256:[0-9a-f]{64})$/.exec(uri);
  const { host, repository, tag } = parseReference(pinned ? `${pinned[1]}:latest` : uri, 'ImageUri');
  return { host, repository, reference: pinned?.[2] ?? tag };
}

/** What is in images. */
export function inspectionRoutes(deps: InspectionDeps): Route[] {
  const { db, systemDb, profiles } = deps;
  const names = profiles.map((it) => it.name);

  async function ofImage(viewer: Caller, paiId: string): Promise<{ image: Image; inspection: Inspection }> {
    const image = await requireImage(db, viewer, paiId);
    const { digest } = image;
    const inspection = digest === null ? undefined : await findInspectionOf(systemDb, { ...image, digest });
    if (!inspection) throw new Fault('InspectionNotFound', `nothing is known of image ${paiId}: it is ${image.status}`);
    return { image, inspection };
  }
  /** @throws Fault ImageNotFound where it is the first one of its repository */
  async function imageBefore(viewer: Caller, image: Image): Promise<string> {
    const before = await findVersionBefore(db, viewer, image);
    if (before) return before.paiId;
    throw new Fault(
      'ImageNotFound',
      `there is no image of ${image.repository} before ${image.paiId}; name one by With`,
    );
  }
  /** @throws Fault InspectionNotFound */
  async function contentsOf({ image, inspection }: Awaited<ReturnType<typeof ofImage>>): Promise<ShownContents> {
    const { facts, state, accountId, id } = inspection;
    if (!facts) throw new Fault('InspectionNotFound', `image ${image.paiId} has not been read: it is ${state}`);
    const name = formatImageName({ ...image, reference: image.digest ?? image.tag });
    return { name, facts, packages: await listPackages(systemDb, accountId, id, { limit: packagesMax }) };
  }
  return [
    route(inspectionOperations.GetImageFacts, async ({ viewer, params, query, requestId }) => {
      const { image, inspection } = await ofImage(viewer, params.ImageId);
      const { labels } = await showImage(systemDb, image);
      const purpose = { ...image, labels: asRecord(labels) };
      const meant = {
        profiles: profilesOfImage(purpose),
        labels,
        categories: categoriesOf(purpose),
      };
      const shown = renderInspection(inspection, names, query.Profiles, meant);
      // What its tag pointed to before is another image.
      const checked = image.checked?.digest === image.digest ? image.checked : undefined;
      return {
        body: { RequestId: requestId, ...shown, ...optional('Check', checked && showCheck(checked)) },
      };
    }),
    route(inspectionOperations.ListImagePackages, async ({ viewer, params, query, requestId }) => {
      const { inspection } = await ofImage(viewer, params.ImageId);
      const { Type: type, Limit: limit = 1000, NextToken: after } = query;
      const found = await listPackages(systemDb, inspection.accountId, inspection.id, { after, limit, type });
      const last = found.length === limit ? found.at(-1) : undefined;
      return {
        body: {
          RequestId: requestId,
          Packages: found.map((it) => ({
            Type: it.type,
            Name: it.name,
            Version: it.version,
            Layer: it.layer,
            Instruction: inspection.facts?.layers[it.layer]?.instruction ?? '',
          })),
          ...optional('NextToken', last && `${last.type} ${last.name} ${last.version}`),
        },
      };
    }),
    route(inspectionOperations.CompareImage, async ({ viewer, params, query, requestId }) => {
      const now = await ofImage(viewer, params.ImageId);
      const before = await ofImage(viewer, query.With ?? (await imageBefore(viewer, now.image)));
      const shown = renderComparison(await contentsOf(now), await contentsOf(before));
      return { body: { RequestId: requestId, ...shown } };
    }),
    route(inspectionOperations.SearchPackages, async ({ viewer, query, requestId }) => {
      const conditions = parsePackageQuery(query.Query, 'Query');
      const { total, images } = await searchPackages(db, viewer, conditions, query.Limit ?? 100);
      return {
        body: {
          RequestId: requestId,
          TotalCount: total,
          Images: images.map((it) => ({
            ImageId: it.paiId,
            Name: it.name,
            ImageUri: formatReference(it),
            Packages: it.packages.map(({ name, version }) => ({ Name: name, Version: version })),
          })),
        },
      };
    }),
    route(inspectionOperations.CreateInspection, async ({ viewer, body, requestId }) => {
      const { host, repository, reference } = readImageUri(body.ImageUri);
      await deps.checkRegistryHost(host, 'ImageUri');
      const { accountId } = viewer;
      const waiting = await countInspections(db, accountId);
      if (waiting >= waitingMax)
        throw new Fault('TooManyWaiting', `${waiting} images of the account wait to be read; try again in a while`);
      const id = `insp-${randomUUID()}`;
      const arch = body.Arch ?? null;
      await addInspection(db, { id, accountId, host, repository, reference, registryConnectionId: null, arch });
      return { status: 201, body: { RequestId: requestId, InspectionId: id } };
    }),
    route(inspectionOperations.GetInspection, async ({ viewer, params, query, requestId }) => {
      const found = await findInspection(db, viewer.accountId, params.InspectionId);
      if (!found) throw new Fault('InspectionNotFound', `the account has no inspection ${params.InspectionId}`);
      const meant = { profiles: [], labels: [], categories: undefined };
      return { body: { RequestId: requestId, ...renderInspection(found, names, query.Profiles, meant) } };
    }),
    route(inspectionOperations.ListProfiles, ({ requestId }) =>
      Promise.resolve({
        body: {
          RequestId: requestId,
          Profiles: profiles.map((it) => ({
            Profile: it.name,
            Title: it.title,
            Version: it.version,
            Notes: it.notes,
            Rules: it.rules.map(({ id, title, severity, source, date }) => ({
              Id: id,
              Title: title,
              Severity: severity,
              Source: source,
              Date: date,
            })),
          })),
        },
      }),
    ),
  ];
}
