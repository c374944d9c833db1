import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Fault } from '@kiln/schemas';
import { type BuildRequest, type BuiltImage, type Engine, type PushRequest, stagingTag } from '../engine.ts';
import { diagnoseBuild, diagnosePush, Progress } from './diagnosis.ts';
import { openCgroups, runJailed } from './jail.ts';
import { writeRegistryFiles } from './registry-files.ts';

const run = promisify(execFile);

/** Whether the disk of a folder has as good as no room left, or no inodes. */
async function isFull(folder: string): Promise<boolean> {
  const { bavail, bsize, files, ffree } = await statfs(folder);
  return bavail * bsize < 16 << 20 || (files > 0 && ffree < 16);
}

export interface BuildahOptions {
  /** Folder of the image store; one builder process at a time uses it. */
  storeDir: string;
}

/** The engine on Debian's buildah and runc, as root. RUN steps share the host's network. */
export function openBuildah({ storeDir }: BuildahOptions): Engine {
  const root = join(storeDir, 'root');
  const cgroups = openCgroups(storeDir);
  const store = ['--root', root, '--runroot', join(storeDir, 'run'), '--storage-driver', 'overlay'];
  const environment = (workDir: string) => ({
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: workDir,
    // Caches of RUN --mount live here: one folder a build, or builds would see each other's.
    TMPDIR: join(workDir, 'tmp'),
  });
  // The store mounts its own folder; in a namespace of the command's own, that mount ends with the command.
  const buildah = (args: string[]) =>
    run('unshare', ['--mount', '--propagation', 'private', 'buildah', ...store, ...args], { maxBuffer: 16 << 20 });
  const localName = (id: string) => `localhost/kiln/${id}`;

  /** Working containers of builds that were killed; each carries its cgroup's name in its settings. */
  async function removeContainers(id?: string): Promise<void> {
    const marker = id === undefined ? undefined : `"${cgroups.parentOf(id)}"`;
    const folder = join(root, 'overlay-containers');
    for (const it of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
      if (!it.isDirectory()) continue;
      const settings = await readFile(join(folder, it.name, 'userdata', 'buildah.json'), 'utf8').catch(() => '');
      if (marker === undefined || settings.includes(marker)) await buildah(['rm', it.name]).catch(() => undefined);
    }
  }

  return {
    name: 'buildah',

    async check() {
      try {
        const { stdout } = await run('buildah', ['--version']);
        await run('runc', ['--version']);
        if (process.getuid?.() !== 0) throw new Error('it needs root');
        await mkdir(storeDir, { recursive: true, mode: 0o700 });
        return /version (\S+)/.exec(stdout)?.[1] ?? stdout.trim();
      } catch (error) {
        throw new Fault(
          'EngineFailed',
          `buildah cannot work here: ${error instanceof Error ? error.message : String(error)}`,
          {},
          error,
        );
      }
    },

    async build(request: BuildRequest): Promise<BuiltImage> {
      const { id, workDir, signal } = request;
      const progress = new Progress(request.parsed);
      await mkdir(join(workDir, 'tmp'), { recursive: true });
      await writeFile(join(workDir, 'Dockerfile'), request.dockerfile);
      const files = await writeRegistryFiles(workDir, request.registries);
      const command = [
        'buildah', ...store, ...files.global, 'bud', ...files.perCommand,
        // Always asks the registry, with this build's credentials: another tenant's private base may be in the store.
        '--pull-always',
        '--isolation', 'oci', '--runtime', 'runc', '--network', 'host', '--cgroup-parent', cgroups.parentOf(id),
        // The layer cache is one for the whole store; sharing it would hand one tenant's layers to another.
        '--layers=false', '--jobs', '1', '--format', 'oci',
        ...(!request.target ? [] : ['--target', request.target]),
        ...Object.entries(request.buildArgs ?? {}).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]),
        '--tag', localName(id), '--file', join(workDir, 'Dockerfile'), request.contextDir,
      ]; // prettier-ignore
      let succeeded = false;
      let diskFull = false;
      try {
        const code = await runJailed(command, {
          cwd: workDir,
          env: environment(workDir),
          signal,
          watch: request.watch,
          async onLine(line) {
            progress.take(line);
            // Looked at while it is so: a step that fails gives back what it took.
            if (/no space left on device/i.test(line)) diskFull ||= await isFull(root);
            await request.onLine(line);
          },
        });
        if (code !== 0) throw diagnoseBuild(progress, code, diskFull);
        succeeded = true;
        return { id };
      } finally {
        await files.remove();
        if (!succeeded) await removeContainers(id);
        await cgroups.remove(id);
      }
    },

    async push(image: BuiltImage, request: PushRequest) {
      const { workDir, registry } = request;
      await mkdir(join(workDir, 'tmp'), { recursive: true });
      const files = await writeRegistryFiles(workDir, [registry]);
      const digestFile = join(workDir, 'digest');
      const target = `${registry.host}/${request.repository}`;
      const tail: string[] = [];
      try {
        // From the store, not through a layout on disk: known base layers are then neither compressed nor sent again.
        const command = [
          'buildah', ...store, ...files.global, 'push', ...files.perCommand, '--digestfile', digestFile,
          localName(image.id), `docker://${target}:${stagingTag}`,
        ]; // prettier-ignore
        const code = await runJailed(command, {
          cwd: workDir,
          env: environment(workDir),
          signal: request.signal,
          watch: request.watch,
          async onLine(line) {
            tail.push(line);
            if (tail.length > 20) tail.shift();
            await request.onLine(line);
          },
        });
        if (code !== 0) throw diagnosePush(tail, target);
        return { digest: (await readFile(digestFile, 'utf8')).trim() };
      } finally {
        await files.remove();
      }
    },

    async has(image) {
      return buildah(['inspect', '--type', 'image', '--format', '{{.FromImageID}}', localName(image.id)]).then(
        () => true,
        () => false,
      );
    },

    async discard(image) {
      await buildah(['rmi', '--force', localName(image.id)]).catch(() => undefined);
    },

    async reap(keep = []) {
      await removeContainers();
      await cgroups.remove();
      const { stdout } = await buildah(['images', '--json', '--filter', 'reference=localhost/kiln/*']);
      const left = (JSON.parse(stdout || '[]') as { names?: string[] }[] | null) ?? [];
      const kept = keep.map((id) => `${localName(id)}:latest`);
      for (const name of left.flatMap((it) => it.names ?? []).filter((it) => !kept.includes(it)))
        await buildah(['rmi', '--force', name]).catch(() => undefined);
      // A store that was killed while it changed mends itself; leftovers without a name are dropped here.
      await buildah(['rmi', '--prune']).catch(() => undefined);
      await rm(join(storeDir, 'run', 'tmp'), { recursive: true, force: true });
    },
  };
}
