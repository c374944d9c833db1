import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { open as openFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually, testStack } from '@kiln/kit/testing';
import { Fault, parseDockerfile } from '@kiln/domain';
import type { BaseImage, BuildRequest, Engine } from '../engine.ts';
import type { RegistryHandler } from '../jail/door.ts';

const processesWith = (text: string): number =>
  readdirSync('/proc').filter((it) => {
    try {
      return /^\d+$/.test(it) && readFileSync(`/proc/${it}/cmdline`, 'utf8').includes(text);
    } catch {
      return false;
    }
  }).length;

/** Control groups below a folder. Others of the machine come and go while this looks: one that went has none. */
function groupsBelow(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((it) => it.isDirectory())
      .flatMap(({ name }) => [join(folder, name), ...groupsBelow(join(folder, name))]);
  } catch {
    return [];
  }
}
/** Control groups of a build, anywhere. */
const groupsNamed = (id: string): string[] => groupsBelow('/sys/fs/cgroup/pids').filter((it) => it.includes(id));

/** What an engine under test sees of the registry of the test stack. */
export interface EngineGateway extends RegistryHandler {
  /** Where the image goes when it is pushed. */
  writeTo(repository: string): void;
}

/** Finds what a Dockerfile names, and opens a gateway to it. */
export type OpenEngineGateway = (
  dockerfile: string,
  signal: AbortSignal,
) => Promise<{ bases: BaseImage[]; gateway: EngineGateway }>;

export const testLimits = { memoryBytes: 512 << 20, cpuMillis: 2000, pids: 256, diskBytes: 1 << 30, seconds: 120 };

/**
 * What every engine has to do. Call it in a test file with a way to open the engine.
 * @param isElsewhere whether its daemons are others' affair: then they have a cache for all owners, and are not ended
 */
export function engineContract(
  name: string,
  open: (storeDir: string) => Engine,
  openGateway: OpenEngineGateway,
  { isElsewhere = false } = {},
): void {
  describe(`engine contract: ${name}`, () => {
    const stack = testStack();
    const ofRooms = (what: string, test: () => Promise<void>) => void (isElsewhere || it(what, test));
    const base = `${stack.registryHost}/kiln/busybox:base`;
    const storeDir = join(stack.dir, `engine-${randomUUID()}`);
    const engine = open(storeDir);
    afterAll(async () => {
      await engine.close();
      for (const it of [storeDir, `${storeDir}-other`]) await rm(it, { recursive: true, force: true });
    });

    const request = (dockerfile: string, signal: AbortSignal = new AbortController().signal) => {
      const lines: string[] = [];
      const onLine = (line: string) => {
        lines.push(line);
        return Promise.resolve();
      };
      return {
        lines,
        id: `t-${randomUUID().slice(0, 8)}`,
        owner: 'somebody',
        dockerfile,
        parsed: parseDockerfile(dockerfile),
        limits: testLimits,
        network: 'none' as const,
        layerCache: true,
        compression: { type: 'gzip' as const },
        onLine,
        signal,
      };
    };
    type Request = Omit<BuildRequest, 'bases' | 'registry'>;
    const build = async (given: Request) => {
      const { bases, gateway } = await openGateway(given.dockerfile, given.signal);
      return { ...(await engine.build({ ...given, bases, registry: gateway })), gateway };
    };
    const fails = async (dockerfile: string): Promise<Fault> => {
      try {
        await build(request(dockerfile));
      } catch (error) {
        if (error instanceof Fault) return error;
        throw error;
      }
      throw new Error('the build did not fail');
    };
    const tags = async (repository: string): Promise<string[]> => {
      const answer = await fetch(`http://${stack.registryHost}/v2/${repository}/tags/list`);
      return ((await answer.json()) as { tags?: string[] }).tags ?? [];
    };

    it('tells its version', async () => {
      expect((await engine.check()).version).toMatch(/^\d+\.\d+/);
    });

    it('builds several stages, prints what the steps print, and pushes by digest without setting a tag', async () => {
      const given = request(
        `FROM ${base} AS one\nRUN echo made > /made && echo to-out && echo to-err >&2\nFROM ${base}\nCOPY --from=one /made /made\nRUN cat /made\n`,
      );
      const image = await build(given);
      expect(given.lines).toEqual(expect.arrayContaining(['to-out', 'to-err', 'made']));
      const repository = `engine/${given.id}`;
      image.gateway.writeTo(repository);
      const digest = await image.push();
      const manifest = await fetch(`http://${stack.registryHost}/v2/${repository}/manifests/${digest}`, {
        headers: { accept: 'application/vnd.oci.image.manifest.v1+json' },
      });
      expect(manifest.status).toBe(200);
      expect(await tags(repository)).toEqual([]);
      // What is sent again is made from the cache, and is the same image.
      image.gateway.writeTo(`${repository}-again`);
      expect(await image.push()).toBe(digest);
      await image.discard();
    });

    it('builds a stage that is called like its base', async () => {
      const given = request('FROM busybox AS busybox\nRUN echo its own > /own\nFROM busybox\nRUN cat /own\n');
      const { bases, gateway } = await openGateway(`FROM ${base}\n`, given.signal);
      const named = bases.map((it) => ({ ...it, name: 'busybox' }));
      await (await engine.build({ ...given, bases: named, registry: gateway })).discard();
      expect(given.lines).toContain('its own');
    });

    it('packs new layers as it is told to, at the first push or at a later one', async () => {
      const given = {
        ...request(`FROM ${base}\nRUN echo ${randomUUID()} > /a\n`),
        compression: { type: 'zstd' as const },
      };
      const image = await build(given);
      const layersOf = async (repository: string, digest: string): Promise<string[]> => {
        const manifest = await fetch(`http://${stack.registryHost}/v2/${repository}/manifests/${digest}`, {
          headers: { accept: 'application/vnd.oci.image.manifest.v1+json' },
        });
        const { layers } = (await manifest.json()) as { layers: { mediaType: string }[] };
        return layers.map((it) => it.mediaType.replace('application/vnd.oci.image.layer.v1.', ''));
      };
      image.gateway.writeTo(`engine/${given.id}`);
      // A layer of the base stays as it is.
      expect(await layersOf(`engine/${given.id}`, await image.push())).toEqual(['tar+gzip', 'tar+zstd']);
      image.gateway.writeTo(`engine/${given.id}-gzip`);
      const again = await image.push({ type: 'gzip', level: 9, force: true });
      expect(await layersOf(`engine/${given.id}-gzip`, again)).toEqual(['tar+gzip', 'tar+gzip']);
      await image.discard();
    });

    it('has the layers of an earlier build of the same owner', async () => {
      const dockerfile = `FROM ${base}\nRUN echo ${randomUUID()}\n`;
      await (await build(request(dockerfile))).discard();
      const second = request(dockerfile);
      await (await build(second)).discard();
      expect(second.lines.filter((it) => it.endsWith('CACHED'))).toHaveLength(1);
    });

    ofRooms('has no layers of others', async () => {
      const dockerfile = `FROM ${base}\nRUN echo ${randomUUID()}\n`;
      await (await build(request(dockerfile))).discard();
      const stranger = { ...request(dockerfile), owner: 'somebody else' };
      await (await build(stranger)).discard();
      expect(stranger.lines.filter((it) => it.endsWith('CACHED'))).toEqual([]);
    });

    ofRooms('tells what it keeps of each owner, and forgets it when it is told to', async () => {
      const dockerfile = `FROM ${base}\nRUN echo ${randomUUID()}\n`;
      const told = { owner: `owner-${randomUUID()}` };
      const first = { ...request(dockerfile), ...told };
      await (await build(first)).discard();
      const before = await engine.usage();
      expect(before.rooms).toBeGreaterThan(0);
      expect(before.busy).toBe(0);
      expect(before.coldStarts).toBeGreaterThan(0);
      const kept = before.caches.find((it) => it.owner === told.owner);
      expect(kept?.bytes).toBeGreaterThan(1 << 20);
      await engine.forget(told.owner);
      expect((await engine.usage()).caches.map((it) => it.owner)).not.toContain(told.owner);
      const second = { ...request(dockerfile), ...told };
      await (await build(second)).discard();
      expect(second.lines.filter((it) => it.endsWith('CACHED'))).toEqual([]);
    });

    it('names the step, its lines, its exit code and its last words when a command fails', async () => {
      const fault = await fails(
        `FROM ${base}\n# a comment\nRUN echo fine\nRUN echo last words && \\\n  exit 7\nRUN echo never\n`,
      );
      expect(fault.code).toBe('StepFailed');
      expect(fault.details).toMatchObject({
        lines: [4, 5],
        exitCode: 7,
        logTail: expect.arrayContaining(['last words']) as string[],
      });
      expect(fault.message).toContain('line 4');
    });

    it('is not misled by a command that prints what looks like a step', async () => {
      const fault = await fails(`FROM ${base}\nRUN echo "STEP 9/9: RUN sabotage"; exit 3\n`);
      expect(fault.details).toMatchObject({ lines: [2, 2], exitCode: 3 });
    });

    it.each([
      ['a file that is not there', `FROM ${base} AS one\nFROM ${base}\nCOPY --from=one /missing /x\n`],
      ['a command that does not exist', `FROM ${base}\nRUN no-such-command\n`],
    ])('explains %s', async (_what, dockerfile) => {
      expect((await fails(dockerfile)).code).toBe('StepFailed');
    });

    it('ends every process of a build that is aborted, even of one that ignores signals, and leaves nothing', async () => {
      const controller = new AbortController();
      const marker = `sleep 98${Math.floor(Math.random() * 10_000)}`;
      const given = request(
        `FROM ${base}\nRUN trap "" TERM INT HUP; echo started; ${marker}; ${marker}\n`,
        controller.signal,
      );
      const args = marker.replace(' ', '\0');
      const running = build({
        ...given,
        onLine(line) {
          if (line === 'started') setTimeout(() => controller.abort(new Error('asked to stop')), 100);
          return Promise.resolve();
        },
      });
      await expect(running).rejects.toThrow('asked to stop');
      // A daemon elsewhere ends them by itself, a moment later.
      if (isElsewhere) await eventually(() => processesWith(args) === 0 || undefined, 'the end of the steps');
      expect(processesWith(args)).toBe(0);
      expect(groupsNamed(given.id)).toEqual([]);
      expect(readFileSync('/proc/mounts', 'utf8')).not.toContain(storeDir);
    });

    it('builds at the same time without mixing up output or images', async () => {
      const builds = [1, 2, 3].map((n) => request(`FROM ${base}\nRUN echo number-${n}\n`));
      const images = await Promise.all(builds.map((it) => build(it)));
      builds.forEach((it, index) =>
        expect(it.lines.filter((line) => line.startsWith('number-'))).toEqual([`number-${index + 1}`]),
      );
      await Promise.all(images.map((it) => it.discard()));
    });

    if (!isElsewhere)
      describe('a daemon that fails', () => {
        const owner = () => ({ owner: `owner-${randomUUID()}` });
        const slow = () => request(`FROM ${base}\nRUN echo ${randomUUID()}; sleep 60\n`);
        const quick = () => request(`FROM ${base}\nRUN echo ${randomUUID()} > /a\n`);
        /** The daemon of the room that a build is in: the first process of the room's own group, not of groups below it. */
        const daemonOf = (id: string): Promise<number> =>
          eventually(() => {
            const room = groupsNamed(id)[0]?.replace(/\/build-.*/, '');
            if (room === undefined) return undefined;
            const processes = readFileSync(join(room, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean);
            const isFirst = (it: string) => /^NSpid:.*\s1$/m.test(readFileSync(`/proc/${it}/status`, 'utf8'));
            const first = processes.find(isFirst);
            return first === undefined ? undefined : Number(first);
          }, 'the daemon of the build');

        it.each([['is killed', 'SIGKILL'], ['is stopped', 'SIGSTOP']] as const)(
        'and %s costs its build, which is the engine’s fault, and none that come after it',
        async (_what, signal) => {
          const of = owner();
          const given = { ...slow(), ...of };
          const building = build(given);
          building.catch(() => undefined);
          await eventually(() => (given.lines.some((it) => it.includes('sleep 60')) ? true : undefined), 'the step');
          process.kill(await daemonOf(given.id), signal);
          await expect(building).rejects.toMatchObject({ code: 'EngineFailed' });
          const next = { ...quick(), ...of };
          await (await build(next)).discard();
          expect(groupsNamed(given.id)).toEqual([]);
        },
      ); // prettier-ignore

        it('and is stopped while nothing is built is noticed by the next build', async () => {
          const of = owner();
          const first = { ...quick(), ...of };
          const image = await build(first);
          const daemon = await daemonOf(first.id);
          await image.discard();
          process.kill(daemon, 'SIGSTOP');
          await (await build({ ...quick(), ...of })).discard();
        });

        it('and cannot live with what it kept begins anew', async () => {
          const dir = `${storeDir}-other`;
          const first = open(dir);
          const given = quick();
          const opened = await openGateway(given.dockerfile, given.signal);
          await (await first.build({ ...given, bases: opened.bases, registry: opened.gateway })).discard();
          await first.close();
          const [folder = ''] = readdirSync(join(dir, 'rooms'));
          const volume = await openFile(join(dir, 'rooms', folder, 'volume'), 'r+');
          await volume.write(Buffer.alloc(1 << 20, 'damaged'), 0, 1 << 20, 0);
          await volume.close();
          const second = open(dir);
          const again = quick();
          const { bases, gateway } = await openGateway(again.dockerfile, again.signal);
          await (await second.build({ ...again, bases, registry: gateway })).discard();
          expect((await second.usage()).storesLost).toBe(1);
          await second.close();
        });
      });

    ofRooms('leaves nothing when it is closed but its cache, which the next one uses at once', async () => {
      const dir = `${storeDir}-other`;
      const dockerfile = `FROM ${base}\nRUN echo ${randomUUID()}\n`;
      for (const cached of [0, 1, 1]) {
        const other = open(dir);
        const given = request(dockerfile);
        const { bases, gateway } = await openGateway(given.dockerfile, given.signal);
        await (await other.build({ ...given, bases, registry: gateway })).discard();
        expect(processesWith(dir)).toBeGreaterThan(0);
        await other.close();
        expect(processesWith(dir)).toBe(0);
        expect(given.lines.filter((it) => it.endsWith('CACHED'))).toHaveLength(cached);
      }
    });
  });
}
