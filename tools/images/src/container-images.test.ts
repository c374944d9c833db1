import { spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, testsAll, testStack } from '@kiln/kit/testing';
import { ensureClientsRoot, root, runQuietly } from '@kiln/stack';
import { type DockerDaemon, startDockerDaemon } from '@kiln/stack/testing';
import { checkStage } from './check-stage.ts';
import { importStandIns } from './stand-ins.ts';

const stack = testStack();
const dir = join(stack.dir, 'compose');
// What the Compose file lies in: here, the compiled apps in place of the checkout.
const project = join(dir, 'kiln');

let daemon: DockerDaemon;
/** Runs what a user would type, where Docker's network is. */
const type = (commands: string, env: NodeJS.ProcessEnv = {}): Promise<string> =>
  runQuietly(['nsenter', '--net', '--target', String(daemon.pid), 'bash', '-euc', commands], {
    cwd: project,
    env: { ...daemon.env, ...env },
  });

beforeAll(async () => {
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  daemon = await startDockerDaemon(await ensureClientsRoot(), dir, {}, 'own');
  await runQuietly([process.execPath, join(root, 'tools/bootstrap/pack.mjs'), project]);
  // Each of these takes a minute or less by itself, and five beside a linter and other suites on a busy machine.
}, 900_000);
afterAll(() => daemon.stop());

// Ten minutes beside other tests on two cores, most of it npm and Docker's own work.
const long = testsAll ? it : it.skip;

long(
  'builds the images of docker-compose.yml, in which each app loads',
  async () => {
    cpSync(join(root, 'docker-compose.yml'), join(project, 'docker-compose.yml'));
    cpSync(join(root, 'deploy'), join(project, 'deploy'), { recursive: true });
    const images = await importStandIns(daemon.env, { engineRoot: stack.engineRoot, dir });
    const settings = Object.entries(images).map(([name, image]) => `${name}=${image}\n`);
    writeFileSync(join(project, '.env'), [...settings, 'COMPILED=packed\n'].join(''));
    appendFileSync(join(project, 'deploy/Dockerfile'), checkStage);
    const args = { ...images, COMPILED: 'packed' };
    await type(
      `docker buildx build --file deploy/Dockerfile --target check ${Object.entries(args)
        .map(([name, value]) => `--build-arg ${name}=${value}`)
        .join(' ')} .`,
    );
  },
  900_000,
);

/** The commands of the README under a heading, as they stand there. */
function commandsOf(start: string): string {
  const text = readFileSync(join(root, 'README.md'), 'utf8');
  const [, commands] = /```sh\n([\s\S]*?)```/.exec(text.slice(text.indexOf(start))) ?? [];
  if (commands === undefined) throw new Error(`the README has no commands after "${start}"`);
  return commands;
}

describe('with Docker, as the README says', () => {
  let token = '';
  let curl = '';
  const get = async (path: string) =>
    JSON.parse(await type(`curl -s -H 'Authorization: Bearer ${token}' 'http://127.0.0.1:8080${path}'`)) as Record<
      string,
      Record<string, unknown>[]
    >;
  /** Sends the build that `first-build` shows, under another name. */
  const submit = async (name: string) => {
    const answer = await type(curl.replaceAll('mine:v1', `mine:${name}`).replaceAll('my-image', name), {
      KILN_TOKEN: token,
    });
    return (JSON.parse(answer) as { ImageBuildId: string }).ImageBuildId;
  };
  const ended = (ids: string[]) =>
    eventually(
      async () => {
        const builds = (await get('/api/v1/imagebuilds?Limit=100'))['ImageBuilds'] ?? [];
        const found = builds.filter((it) => ids.includes(String(it['ImageBuildId'])));
        return found.length === ids.length && found.every((it) => /succeeded|failed/.test(String(it['State'])))
          ? found
          : undefined;
      },
      'the builds to end',
      180_000,
    );

  long(
    'starts, and a build that is submitted with the printed line ends in an active image',
    async () => {
      const printed = await type(commandsOf('With Docker'));
      token = /"token": "([^"]+)"/.exec(printed)?.[1] ?? '';
      expect(printed).toContain(`"FROM docker.io/library/busybox:latest\\nRUN `);

      const files = join(stack.dir, 'busybox-rootfs');
      const image = '127.0.0.1:5000/base/busybox:1';
      await type(`tar -C ${files} -c . | docker import --change 'ENV PATH=/bin' - ${image} && docker push ${image}`);
      const shown = await type(
        `docker compose run --rm migrate node apps/admin/dist/main.js first-build acme --base registry:5000/base/busybox:1`,
      );
      const lines = shown.split('\n').filter((it) => it.startsWith('curl'));
      curl = lines[0] ?? '';
      const [build] = await ended([await submit('first')]);
      expect(build).toMatchObject({ State: 'succeeded', ImageUri: 'registry:5000/demo/mine:first' });
      expect(await type('docker pull 127.0.0.1:5000/demo/mine:first')).toContain(build?.['Digest']);
      const { data } = JSON.parse(await type(lines.at(-1) ?? '', { KILN_TOKEN: token })) as { data: unknown[] };
      expect(data).toMatchObject([{ status: 'ACTIVE', swr_path: 'registry:5000/demo/mine:first' }]);
    },
    900_000,
  );

  long(
    'builds on as many builders as --scale says',
    async () => {
      await type('docker compose up --detach --wait --scale builder=2');
      const workers = await eventually(
        async () => {
          const found = (await get('/api/v1/workers'))['Workers']?.filter(
            (it) => it['App'] === 'builder' && it['Alive'],
          );
          return found?.length === 2 ? found : undefined;
        },
        'two builders',
        120_000,
      );
      const ids = await Promise.all(Array.from({ length: 6 }, (_, at) => submit(`scaled-${at}`)));
      const builds = await ended(ids);
      expect(builds.map((it) => it['Error']).filter((it) => it !== undefined)).toEqual([]);
      expect(new Set(builds.map((it) => it['State']))).toEqual(new Set(['succeeded']));
      const logs = await type('docker compose logs --no-log-prefix builder');
      const takers = ids.map((id) => logs.split('\n').find((it) => it.includes('build taken') && it.includes(id)));
      expect(takers).not.toContain(undefined);
      expect(workers).toHaveLength(2);
    },
    600_000,
  );

  long('ends with nothing left of its builders', async () => {
    await type('docker compose down --volumes');
    expect(await type('docker ps --all --quiet && docker volume ls --quiet')).toBe('');
    const left = readdirSync('/proc')
      .filter((it) => /^\d+$/.test(it))
      .map((it) => spawnSync('cat', [`/proc/${it}/cgroup`], { encoding: 'utf8' }).stdout)
      .filter((it) => /\/docker\/[0-9a-f]+\/kiln\//.test(it));
    expect(left).toEqual([]);
    expect(await runQuietly(['losetup', '--list', '--noheadings'])).not.toContain(dir);
  });
});
