import type { RegistryClients } from './client.ts';
import type { RegistryAccess } from './connection.ts';
import { refused } from './registry-errors.ts';
import { headerOf } from './registry-http.ts';

/**
 * Tries a registry: that it is there and takes the credentials, and where a repository is named, that it takes a push.
 * @param repository in which an upload is begun and given up
 * @throws Fault RegistryUnreachable, RegistryDenied, RegistryRefused, AddressNotAllowed
 */
export async function checkRegistry(
  clients: RegistryClients,
  access: RegistryAccess,
  repository: string | undefined,
): Promise<void> {
  const transport = clients.transportOf(access);
  const ping = await transport.send({ method: 'GET', path: '/v2/' }, '');
  if (ping.status !== 200) throw refused(access.host, ping.status, 'GET /v2/', ping.body);
  if (repository === undefined) return;
  const scope = `repository:${repository}:pull,push`;
  const path = `/v2/${repository}/blobs/uploads/`;
  const begun = await transport.send({ method: 'POST', path }, scope);
  if (begun.status !== 202) throw refused(access.host, begun.status, `POST ${path}`, begun.body);
  const location = headerOf(begun.headers['location']);
  if (location === undefined || !URL.canParse(location, 'https://registry')) return;
  const { pathname, search } = new URL(location, 'https://registry');
  // It expires by itself where it cannot be given up.
  await transport.send({ method: 'DELETE', path: pathname + search }, scope).catch(() => undefined);
}
