import type { InspectedImage } from '../facts/image-facts.ts';
import { lookUp } from '../facts/root-tree.ts';
import { fail, type Finding, missing, pass, unknown } from './findings.ts';
import type { Check } from './profile.ts';

type Of<K extends Check['kind']> = Extract<Check, { kind: K }>;

export function checkUser({ facts, tree }: InspectedImage, check: Of<'user'>): Finding {
  const { uid, gid, name, group, home } = check;
  if (facts.users.length === 0) return missing('the image has no /etc/passwd that names a user', tree);
  const same = facts.users.filter((it) => it.uid === uid);
  const user = same.find((it) => name === undefined || it.name === name) ?? same[0];
  if (!user) return missing(`no user has the uid ${uid}`, tree);
  if (name !== undefined && user.name !== name)
    return fail(`the user with the uid ${uid} is ${user.name}, not ${name}`);
  if (gid !== undefined && user.gid !== gid) return fail(`${user.name} has the gid ${user.gid}, not ${gid}`);
  if (group !== undefined && !facts.groups.some((it) => it.gid === user.gid && it.name === group))
    return fail(
      `the group ${user.gid} of ${user.name} is ${facts.groups.find((it) => it.gid === user.gid)?.name ?? 'not named'}, not ${group}`,
    );
  if (home === undefined) return pass(`${user.name} (${user.uid}:${user.gid})`);
  if (user.home !== home) return fail(`the home of ${user.name} is ${user.home || 'not set'}, not ${home}`);
  const folder = lookUp(tree, home);
  if (!folder) return missing(`${home} does not exist`, tree);
  const [own, ofGroup, ofAll] = [folder.mode >> 6, folder.mode >> 3, folder.mode].map((it) => (it & 7) === 7);
  const isIts = (folder.uid === uid && own) || (folder.gid === user.gid && folder.uid !== uid && ofGroup) || ofAll;
  if (folder.type !== 'folder' || !isIts)
    return fail(
      `${home} belongs to ${folder.uid}:${folder.gid} with mode ${(folder.mode & 0o7777).toString(8)}: ${user.name} cannot write there`,
      folder,
    );
  return pass(`${user.name} (${user.uid}:${user.gid}), ${home}`);
}

export function checkRunAs({ facts }: InspectedImage, { users }: Of<'run-as'>): Finding {
  const [user = ''] = facts.config.user.split(':');
  const named = user || 'root';
  const known = facts.users.find((it) => it.name === named || String(it.uid) === named);
  if ([named, known?.name, known && String(known.uid)].some((it) => it !== undefined && users.includes(it)))
    return pass(`it runs as ${named}`);
  if (!/^\d+$/.test(named) && !known && named !== 'root')
    return unknown(`it runs as ${named}, whom /etc/passwd does not name`);
  return fail(`it runs as ${named}, not as ${users.join(' or ')}`);
}
