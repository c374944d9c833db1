import { createHmac } from 'node:crypto';
import { type App, appRoles } from '@kiln/persistence';

/** The password of an app on a server of a local stack: made from its owner's, so that none has to be kept. */
export const appPassword = (ownersPassword: string, app: App): string =>
  createHmac('sha256', ownersPassword).update(app).digest('base64url');

/** Addresses of a stack's servers as one app signs in to them. */
export function appUrls<T extends { KILN_DATABASE_URL: string; KILN_REDIS_URL?: string }>(
  { KILN_DATABASE_URL, KILN_REDIS_URL }: T,
  app: App,
): Pick<T, 'KILN_DATABASE_URL' | 'KILN_REDIS_URL'> {
  const asApp = (owners: string): string => {
    const url = new URL(owners);
    url.username = appRoles[app];
    url.password = appPassword(decodeURIComponent(new URL(owners).password), app);
    return url.href;
  };
  return {
    KILN_DATABASE_URL: asApp(KILN_DATABASE_URL),
    ...(KILN_REDIS_URL === undefined ? {} : { KILN_REDIS_URL: asApp(KILN_REDIS_URL) }),
  };
}
