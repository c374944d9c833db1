import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { testStack } from '@kiln/kit/testing';
import { Fault, parseDockerfile } from '@kiln/domain';
import {
  type BaseImage,
  type BuildRequest,
  type BuiltImage,
  type Engine,
  type EngineCall,
  stagingTag,
} from '../engine.ts';

const processesWith = (text: string): number =>
  readdirSync('/proc').filter((it) => {
    try {
      return /^\d+$/.test(it) && readFileSync(`/proc/${it}/cmdline`, 'utf8').includes(text);
    } catch {
      return false;
    }
  }).length;

/** How an engine under test gets at the registry of the test stack. */
export interface EngineLinks {
  /** Finds what a Dockerfile names, and has the engine fetch it. */
  fetch(engine: Engine, dockerfile: string, call: EngineCall): Promise<BaseImage[]>;
  /** @returns the digest of the pushed manifest */
  push(engine: Engine, image: BuiltImage, repository: string, call: EngineCall): Promise<string>;
}

export const testLimits = { memoryBytes: 512 << 20, cpuMillis: 2000, pids: 256, diskBytes: 1 << 30, seconds: 120 };

/** What every engine has to do. Call it in a test file with a way to open the engine. */
export function engineContract(name: string, open: (storeDir: string) => Engine, links: EngineLinks): void {
  describe(`engine contract: ${name}`, () => {
    const stack = testStack();
    const base = `${stack.registryHost}/kiln/busybox:base`;
    const root = join(stack.dir, `engine-${randomUUID()}`);
    const engine = open(join(root, 'store'));

    const request = (dockerfile: string, signal: AbortSignal = new AbortController().signal) => {
      const id = `t-${randomUUID().slice(0, 8)}`;
      const workDir = join(root, id);
      const contextDir = join(workDir, 'context');
      mkdirSync(contextDir, { recursive: true });
      const lines: string[] = [];
      const onLine = (line: string) => {
        lines.push(line);
        return Promise.resolve();
      };
      return {
        lines,
        id,
        owner: 'somebody',
        dockerfile,
        parsed: parseDockerfile(dockerfile, { hasContext: true }),
        contextDir,
        workDir,
        limits: testLimits,
        network: 'none' as const,
        layerCache: false,
        onLine,
        signal,
      };
    };
    type Request = Omit<BuildRequest, 'bases'>;
    const build = async (given: Request) =>
      engine.build({ ...given, bases: await links.fetch(engine, given.dockerfile, given) });
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
      const digest = await links.push(engine, image, repository, given);
      const manifest = await fetch(`http://${stack.registryHost}/v2/${repository}/manifests/${digest}`, {
        headers: { accept: 'application/vnd.oci.image.manifest.v1+json' },
      });
      expect(manifest.status).toBe(200);
      expect((await tags(repository)).filter((it) => it !== stagingTag)).toEqual([]);
      await engine.discard(image);
      await expect(links.push(engine, image, repository, given)).rejects.toThrow(Fault);
    });

    it('copies from its context', async () => {
      const given = request(`FROM ${base}\nCOPY given /given\nRUN cat /given\n`);
      writeFileSync(join(given.contextDir, 'given'), 'from the context\n');
      await engine.discard(await build(given));
      expect(given.lines).toContain('from the context');
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
      ['a file that is not in the context', `FROM ${base}\nCOPY missing /x\n`],
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
      expect(processesWith(args)).toBe(0);
      expect(existsSync(`/sys/fs/cgroup/pids/kiln/${given.id}`)).toBe(false);
      expect(readFileSync('/proc/mounts', 'utf8')).not.toContain(join(root, 'store'));
      expect(readdirSync(join(root, 'store/builds'))).toEqual([]);
    });

    it('builds at the same time without mixing up output or images', async () => {
      const builds = [1, 2, 3].map((n) => request(`FROM ${base}\nRUN echo number-${n}\n`));
      const images = await Promise.all(builds.map((it) => build(it)));
      builds.forEach((it, index) =>
        expect(it.lines.filter((line) => line.startsWith('number-'))).toEqual([`number-${index + 1}`]),
      );
      await Promise.all(images.map((it) => engine.discard(it)));
    });

    it('reaps what is left without harm', async () => {
      await build(request(`FROM ${base}\nRUN true\n`));
      await engine.reap();
      const again = request(`FROM ${base}\nRUN echo works\n`);
      await engine.discard(await build(again));
      expect(again.lines).toContain('works');
    });
  });
}
