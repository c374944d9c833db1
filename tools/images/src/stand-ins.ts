import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureServersRoot, runQuietly } from '@kiln/stack';

/** What the entry points of the official images of PostgreSQL and the registry do, as far as the Compose file needs it. */
const entrypoint = `#!/bin/sh
set -e
case "$1" in
postgres)
  as() { setpriv --reuid postgres --regid postgres --clear-groups "$@"; }
  bin=$(echo /usr/lib/postgresql/*/bin)
  mkdir -p /run/postgresql
  chown postgres /run/postgresql "$PGDATA"
  if [ ! -e "$PGDATA/PG_VERSION" ]; then
    echo "$POSTGRES_PASSWORD" > /tmp/password
    as "$bin/initdb" -D "$PGDATA" -U "$POSTGRES_USER" --pwfile /tmp/password --auth-host scram-sha-256
    echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
    echo "CREATE DATABASE \\"$POSTGRES_DB\\"" | as "$bin/postgres" --single -D "$PGDATA" postgres
  fi
  exec setpriv --reuid postgres --regid postgres --clear-groups "$bin/postgres" -D "$PGDATA" -c listen_addresses='*'
  ;;
registry) exec docker-registry serve /etc/registry.yml ;;
*) exec "$@" ;;
esac
`;

const registrySettings = `
version: 0.1
storage: { filesystem: { rootdirectory: /var/lib/registry } }
http: { addr: ':5000' }
`;

/** The images that the Compose file names, in its variables' words. */
export interface StandIns {
  BASE_IMAGE: string;
  BUILDKIT_IMAGE: string;
  POSTGRES_IMAGE: string;
  REDIS_IMAGE: string;
  REGISTRY_IMAGE: string;
}

/**
 * Gives Docker what it cannot fetch where no public registry can be reached: Debian's PostgreSQL, Redis, registry and
 * this machine's Node in place of the official images, and the engine root in place of BuildKit's.
 * @param env of Docker's commands
 * @param dir folder to work in
 */
export async function importStandIns(
  env: NodeJS.ProcessEnv,
  { engineRoot, dir }: { engineRoot: string; dir: string },
): Promise<StandIns> {
  const added = join(dir, 'added');
  rmSync(added, { recursive: true, force: true });
  for (const it of ['usr/local/bin', 'usr/local/lib/node_modules', 'etc'])
    mkdirSync(join(added, it), { recursive: true });
  writeFileSync(join(added, 'usr/local/bin/docker-entrypoint.sh'), entrypoint, { mode: 0o755 });
  writeFileSync(join(added, 'etc/registry.yml'), registrySettings);
  const prefix = join(process.execPath, '../..');
  cpSync(process.execPath, join(added, 'usr/local/bin/node'), { dereference: true });
  cpSync(join(prefix, 'lib/node_modules/npm'), join(added, 'usr/local/lib/node_modules/npm'), { recursive: true });
  await runQuietly(['ln', '-s', '../lib/node_modules/npm/bin/npm-cli.js', join(added, 'usr/local/bin/npm')]);
  // Where a proxy inspects TLS, the base has to know its CA, as this machine does.
  const ca = process.env['NODE_EXTRA_CA_CERTS'];
  if (ca) cpSync(ca, join(added, 'etc/extra-ca.crt'), { dereference: true });

  const changes = (lines: string[]) => lines.map((it) => `--change '${it}'`).join(' ');
  const path = 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
  const common = [
    path,
    'ENTRYPOINT ["docker-entrypoint.sh"]',
    ...(ca ? ['ENV NODE_EXTRA_CA_CERTS=/etc/extra-ca.crt'] : []),
  ];
  const each: [name: string, settings: string[]][] = [
    ['base', ['CMD ["node"]']],
    ['postgres', ['ENV PGDATA=/var/lib/postgresql/data', 'CMD ["postgres"]']],
    ['redis', ['WORKDIR /data', 'CMD ["redis-server"]']],
    ['registry', ['CMD ["registry"]']],
  ];
  const servers = await ensureServersRoot();
  // Docker refuses a path that comes twice, folders as well.
  const importing = `cd '${added}' && find . ! -type d | tar -C '${servers}' -c . -C '${added}' -T - | docker import`;
  await runQuietly(['sh', '-c', `${importing} ${changes(common)} - kiln-test/debian`], { env });
  for (const [name, settings] of each) {
    const dockerfile = ['FROM kiln-test/debian', ...settings].join('\n');
    await runQuietly(['sh', '-c', `echo '${dockerfile}' | docker buildx build -t kiln-test/${name} -`], { env });
  }
  const engine = `tar -C '${engineRoot}' -c . | docker import ${changes([path])} - kiln-test/buildkit`;
  await runQuietly(['sh', '-c', engine], { env });
  return {
    BASE_IMAGE: 'kiln-test/base',
    BUILDKIT_IMAGE: 'kiln-test/buildkit',
    POSTGRES_IMAGE: 'kiln-test/postgres',
    REDIS_IMAGE: 'kiln-test/redis',
    REGISTRY_IMAGE: 'kiln-test/registry',
  };
}
