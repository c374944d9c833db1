import type { Definition } from './messages.ts';
import { digestOf, opType } from './proto.ts';

/**
 * A folder with a Dockerfile as a graph of its own, which goes with the request: the daemon need not come back for it.
 * The second file says that there is no .dockerignore to look for.
 */
export function dockerfileInput(text: string): Definition {
  const files = { '/Dockerfile': text, '/Dockerfile.dockerignore': '# none\n' };
  const actions = Object.entries(files).map(([path, data], index, all) => ({
    input: index - 1,
    secondaryInput: -1,
    output: index === all.length - 1 ? 0 : -1,
    mkfile: { path, mode: 0o644, data: Buffer.from(data), timestamp: -1 },
  }));
  const platform = { OS: 'linux', Architecture: process.arch === 'x64' ? 'amd64' : process.arch };
  const folder = opType.serialize({ platform, file: { actions } });
  const last = opType.serialize({ inputs: [{ digest: digestOf(folder), index: 0 }] });
  return {
    def: [folder, last],
    metadata: {
      [digestOf(folder)]: {
        description: { 'llb.customname': '[internal] load Dockerfile' },
        caps: { 'file.base': true },
      },
      [digestOf(last)]: { caps: { constraints: true, platform: true } },
    },
  };
}
