import { policyOperations } from '@kiln/contract';
import { fieldFault, formatReference, type ImagePolicy, type Profile } from '@kiln/domain';
import { type Database, findPolicy, putPolicy, tryPolicy, type Workspace } from '@kiln/persistence';
import { type Directory, requireWorkspace, showBroken } from '@kiln/usecases';
import type { z } from 'zod';
import type { Caller } from '../callers/caller.ts';
import { type Route, route } from '../http/dialect.ts';

interface PolicyDeps {
  db: Database;
  directory: Directory;
  profiles: readonly Profile[];
}

type Body = z.output<NonNullable<typeof policyOperations.PutPolicy.body>>;
type Told = z.input<typeof policyOperations.TryPolicy.reply>['Images'][number];
type Counts = Pick<z.input<typeof policyOperations.TryPolicy.reply>, 'Passed' | 'Warned' | 'Failed' | 'Unknown'>;

const imagesMax = 1000;
const countOf = { pass: 'Passed', warn: 'Warned', fail: 'Failed', unknown: 'Unknown' } as const;

const renderPolicy = ({ mode, profiles, waitSeconds, attest, cosignTags, errorOnDrift }: ImagePolicy) => ({
  Mode: mode,
  Profiles: profiles,
  WaitSeconds: waitSeconds,
  Attest: attest,
  CosignTags: cosignTags,
  ErrorOnDrift: errorOnDrift,
});

/** What workspaces ask of their images. */
export function policyRoutes({ db, directory, profiles }: PolicyDeps): Route[] {
  const workspaceOf = (viewer: Caller, id: string): Promise<Workspace> =>
    requireWorkspace(directory, viewer, { id }, 'WorkspaceId');
  function policyIn({ Mode, Profiles, WaitSeconds, Attest, CosignTags, ErrorOnDrift }: Body): ImagePolicy {
    const other = Profiles.find((it) => !profiles.some(({ name }) => name === it));
    if (other !== undefined)
      throw fieldFault(
        'ProfileNotFound',
        'Profiles',
        `there is no profile ${other}; there are ${profiles.map((it) => it.name).join(', ')}`,
      );
    return {
      mode: Mode,
      profiles: Profiles,
      waitSeconds: WaitSeconds,
      attest: Attest,
      cosignTags: CosignTags,
      errorOnDrift: ErrorOnDrift,
    };
  }
  return [
    route(policyOperations.GetPolicy, async ({ viewer, params, requestId }) => {
      const { id } = await workspaceOf(viewer, params.WorkspaceId);
      const policy = await findPolicy(db, viewer.accountId, id);
      return { body: { RequestId: requestId, WorkspaceId: id, ...renderPolicy(policy) } };
    }),
    route(policyOperations.PutPolicy, async ({ viewer, params, body, requestId }) => {
      const { id } = await workspaceOf(viewer, params.WorkspaceId);
      const policy = policyIn(body);
      await putPolicy(db, viewer.accountId, id, policy);
      return { body: { RequestId: requestId, WorkspaceId: id, ...renderPolicy(policy) } };
    }),
    route(policyOperations.TryPolicy, async ({ viewer, params, body, requestId }) => {
      const { id } = await workspaceOf(viewer, params.WorkspaceId);
      const policy = policyIn(body);
      const counts: Counts = { Passed: 0, Warned: 0, Failed: 0, Unknown: 0 };
      let notAsked = 0;
      const told: Record<'fail' | 'warn', Told[]> = { fail: [], warn: [] };
      let after: string | undefined;
      do {
        const { judged, last } = await tryPolicy(db, viewer, id, policy, after);
        for (const { image, check } of judged) {
          if (check) counts[countOf[check.verdict]] += 1;
          else notAsked += 1;
          if (check?.verdict !== 'fail' && check?.verdict !== 'warn') continue;
          if (told[check.verdict].length >= imagesMax) continue;
          told[check.verdict].push({
            ImageId: image.paiId,
            Name: image.name,
            ImageUri: formatReference(image),
            Verdict: check.verdict,
            Broken: showBroken(check.broken),
          });
        }
        after = last;
      } while (after !== undefined);
      return {
        body: {
          RequestId: requestId,
          ...counts,
          NotAsked: notAsked,
          Images: [...told.fail, ...told.warn].slice(0, imagesMax),
        },
      };
    }),
  ];
}
