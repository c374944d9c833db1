import { retentionOperations } from '@kiln/contract';
import { Fault, formatReference, type RetentionRules } from '@kiln/domain';
import {
  type Database,
  findPlan,
  findPlanned,
  findRetention,
  type Image,
  listRetiring,
  makePlan,
  noteImageUse,
  pinImage,
  putRetention,
  restore,
  type RetentionPlan,
  runPlan,
} from '@kiln/persistence';
import { type Directory, requireOwner, requireWorkspace } from '@kiln/usecases';
import type { z } from 'zod';
import type { Caller } from '../callers/caller.ts';
import { type Route, route } from '../http/dialect.ts';
import { optional } from '../http/optional.ts';
import { requireImage } from '../usecases/require-image.ts';
import { renderRetiring } from './render-retiring.ts';

type Body = z.output<NonNullable<typeof retentionOperations.PutRetention.body>>;

const parseRules = ({ Rules, HideAfterDays, DeleteAfterDays, Purge }: Body): RetentionRules => ({
  rules: Rules.map((it) => ({
    repositories: it.Repositories,
    keepLast: it.KeepLast,
    keepTags: it.KeepTags,
    keepLabels: it.KeepLabels.map(({ Key, Value }) => ({ key: Key, value: Value })),
    keepDays: it.KeepDays,
    keepUsedDays: it.KeepUsedDays,
  })),
  hideAfterDays: HideAfterDays,
  deleteAfterDays: DeleteAfterDays,
  purge: Purge,
});

const renderRules = ({ rules, hideAfterDays, deleteAfterDays, purge }: RetentionRules) => ({
  Rules: rules.map((it) => ({
    Repositories: it.repositories,
    KeepLast: it.keepLast,
    KeepTags: it.keepTags,
    KeepLabels: it.keepLabels.map(({ key, value }) => ({ Key: key, Value: value })),
    KeepDays: it.keepDays,
    KeepUsedDays: it.keepUsedDays,
  })),
  HideAfterDays: hideAfterDays,
  DeleteAfterDays: deleteAfterDays,
  Purge: purge,
});

const renderImage = (it: Image, reason: string) => ({
  ImageId: it.paiId,
  Name: it.name,
  ImageUri: formatReference(it),
  ...optional('Digest', it.digest),
  ...optional('SizeInBytes', it.sizeBytes),
  Reason: reason,
});

/** How long workspaces keep their images. */
export function retentionRoutes({ db, directory }: { db: Database; directory: Directory }): Route[] {
  const placeOf = async (viewer: Caller, id: string) => {
    const workspace = await requireWorkspace(directory, viewer, { id }, 'WorkspaceId');
    return { accountId: viewer.accountId, workspaceId: workspace.id };
  };
  const requirePlan = async (viewer: Caller, params: { WorkspaceId: string; PlanId: string }) => {
    const plan = await findPlan(db, await placeOf(viewer, params.WorkspaceId), params.PlanId);
    if (!plan) throw new Fault('PlanNotFound', `there is no plan ${params.PlanId}`);
    return plan;
  };
  async function renderPlan(plan: RetentionPlan) {
    const found = new Map((await findPlanned(db, plan.accountId, plan.images)).map((it) => [it.id, it]));
    return {
      PlanId: plan.id,
      Images: plan.images.flatMap(({ id, reason }) => {
        const image = found.get(id);
        return image && image.status !== 'DELETED' ? [renderImage(image, reason)] : [];
      }),
      Bytes: plan.bytes,
      GmtCreateTime: plan.createdAt.toISOString(),
      ...optional('GmtRunTime', plan.runAt?.toISOString()),
    };
  }
  return [
    route(retentionOperations.GetRetention, async ({ viewer, params, requestId }) => {
      const place = await placeOf(viewer, params.WorkspaceId);
      const rules = renderRules(await findRetention(db, place));
      return { body: { RequestId: requestId, WorkspaceId: place.workspaceId, ...rules } };
    }),
    route(retentionOperations.PutRetention, async ({ viewer, params, body, requestId }) => {
      const place = await placeOf(viewer, params.WorkspaceId);
      const rules = parseRules(body);
      await putRetention(db, place, rules);
      return { body: { RequestId: requestId, WorkspaceId: place.workspaceId, ...renderRules(rules) } };
    }),
    route(retentionOperations.PlanRetention, async ({ viewer, params, requestId }) => {
      const place = await placeOf(viewer, params.WorkspaceId);
      const plan = await makePlan(db, { ...place, userId: viewer.userId });
      return { status: 201, body: { RequestId: requestId, ...(await renderPlan(plan)) } };
    }),
    route(retentionOperations.GetRetentionPlan, async ({ viewer, params, requestId }) => {
      const plan = await requirePlan(viewer, params);
      return { body: { RequestId: requestId, ...(await renderPlan(plan)) } };
    }),
    route(retentionOperations.RunRetention, async ({ viewer, params, requestId }) => {
      const plan = await requirePlan(viewer, params);
      const outcome = await runPlan(db, plan);
      if (outcome === 'run') throw new Fault('PlanNotRunnable', `plan ${plan.id} was run before; make another one`);
      if (outcome === 'old')
        throw new Fault('PlanNotRunnable', `plan ${plan.id} is more than a day old; make another one`);
      const found = new Map((await findPlanned(db, plan.accountId, plan.images)).map((it) => [it.id, it.paiId]));
      const deprecated = new Set(outcome.ids);
      const shown = (isDeprecated: boolean) =>
        plan.images.flatMap(({ id }) => (deprecated.has(id) === isDeprecated ? (found.get(id) ?? []) : []));
      return { body: { RequestId: requestId, Deprecated: shown(true), Kept: shown(false) } };
    }),
    route(retentionOperations.ListRetiring, async ({ viewer, params, requestId }) => {
      const retiring = await listRetiring(db, await placeOf(viewer, params.WorkspaceId));
      return {
        body: {
          RequestId: requestId,
          Images: retiring.flatMap((it) => {
            const shown = renderRetiring(it);
            return shown ? [{ ...renderImage(it, shown.Reason), ...shown }] : [];
          }),
        },
      };
    }),
    route(retentionOperations.RestoreImage, async ({ viewer, params, requestId }) => {
      const image = await requireImage(db, viewer, params.ImageId);
      requireOwner(viewer, image, `image ${params.ImageId}`, 'operator');
      if (!(await restore(db, image.id, true)))
        throw new Fault('ImageNotRetiring', `image ${params.ImageId} is neither deprecated nor hidden`);
      return { body: { RequestId: requestId, ImageId: image.paiId } };
    }),
    route(retentionOperations.PinImage, async ({ viewer, params, body, requestId }) => {
      const image = await requireImage(db, viewer, params.ImageId);
      requireOwner(viewer, image, `image ${params.ImageId}`, 'operator');
      await pinImage(db, image.id, body.Pinned);
      return { body: { RequestId: requestId, ImageId: image.paiId, Pinned: body.Pinned } };
    }),
    route(retentionOperations.ReportUse, async ({ viewer, params, requestId }) => {
      const image = await requireImage(db, viewer, params.ImageId);
      if (!(await noteImageUse(db, image.id)))
        throw new Fault('ImageNotFound', `image ${params.ImageId} is not there: it is ${image.status}`);
      return { body: { RequestId: requestId, ImageId: image.paiId } };
    }),
  ];
}
