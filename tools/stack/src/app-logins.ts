import { createHmac } from 'node:crypto';
import { type App, appRoles } from '@kiln/persistence';

/** The password of an app on a server of a local stack: made from its owner's, so that none has to be kept. */
export const appPassword = (ownersPassword: string, app: App): string =>
  createHmac('sha256', ownersPassword).update(app).digest('base64url');

/** Addresses of a stack's servers as one app signs in to them. */
export function appUrls(settings: Record<string, string>, app: App): Record<string, string> {
  const asApp = (owners: string): string => {
    const url = new URL(owners);
    url.username = appRoles[app];
    url.password = appPassword(decodeURIComponent(new URL(owners).password), app);
    return url.href;
  };
  return Object.fromEntries(
    ['KILN_DATABASE_URL', 'KILN_DATABASE_POOLER_URL', 'KILN_REDIS_URL'].flatMap((name) => {
      const owners = settings[name];
      return owners === undefined ? [] : [[name, asApp(owners)]];
    }),
  );
}
