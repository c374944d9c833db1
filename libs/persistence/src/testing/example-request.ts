import type { BuildRequest } from '@kiln/domain';

/** A request that says no more than it has to. */
export const exampleRequest: BuildRequest = {
  dockerfile: 'FROM a\nRUN b\n',
  form: 'any',
  image: { name: 'a', labels: [] },
  target: { connection: 'cri', reference: 'r/a/b:1', overwrite: false },
  visibility: 'PRIVATE',
  workspaceId: '1',
  resources: {},
  registryHosts: [],
};
