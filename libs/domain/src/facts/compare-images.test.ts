import { compareImages } from './compare-images.ts';
import type { ComparedImage } from './compare-images.ts';

const config = {
  user: '',
  workingDir: '/',
  entrypoint: [],
  cmd: ['sh'],
  env: ['PATH=/bin', 'A=1=2'],
  ports: [],
  volumes: [],
  labels: {},
};
const layer = (digest: string, size = 10) => ({
  digest,
  size,
  unpacked: size * 2,
  files: 1,
  instruction: `RUN ${digest}`,
});
const image = (
  change: Partial<ComparedImage['facts']> = {},
  packages: ComparedImage['packages'] = [],
): ComparedImage => ({
  facts: {
    os: { id: 'debian', version: '12', name: 'Debian 12' },
    libc: undefined,
    architectures: ['amd64'],
    pythons: [],
    frameworks: [],
    cuda: [],
    cudnn: undefined,
    nccl: undefined,
    cann: undefined,
    users: [],
    groups: [],
    setuid: [],
    largest: [],
    secrets: [],
    layers: [layer('a')],
    config,
    cut: false,
    ...change,
  },
  packages,
});
const pypi = (name: string, version: string) => ({ type: 'pypi' as const, name, version, layer: 0 });

it('finds nothing between an image and itself', () => {
  expect(compareImages(image({}, [pypi('torch', '2.6')]), image({}, [pypi('torch', '2.6')]))).toMatchObject({
    facts: [],
    packages: [],
    sharedLayers: 1,
    layersNow: [],
    layersBefore: [],
  });
});

it('tells packages that came, went, or have another version, also where there are several of a name', () => {
  const before = image({}, [pypi('torch', '2.5'), pypi('numpy', '1.26'), pypi('pip', '23'), pypi('pip', '24')]);
  const now = image({}, [pypi('torch', '2.6'), pypi('pip', '24'), pypi('pip', '23'), pypi('scipy', '1')]);
  expect(compareImages(now, before).packages).toEqual([
    { name: 'pypi numpy', before: '1.26' },
    { name: 'pypi scipy', now: '1' },
    { name: 'pypi torch', now: '2.6', before: '2.5' },
  ]);
});

it('tells facts, variables by their name, and layers that only one has', () => {
  const now = image({
    os: { id: 'debian', version: '13', name: 'Debian 13' },
    config: { ...config, env: ['PATH=/bin', 'A=2'], user: 'ma-user' },
    layers: [layer('a'), layer('b', 5)],
  });
  const { facts, sizes, sharedLayers, layersNow, layersBefore } = compareImages(now, image());
  expect(facts).toEqual([
    { name: 'env A', now: '2', before: '1=2' },
    { name: 'system', now: 'Debian 13', before: 'Debian 12' },
    { name: 'user', now: 'ma-user' },
  ]);
  expect(sizes).toEqual({ now: { compressed: 15, unpacked: 30 }, before: { compressed: 10, unpacked: 20 } });
  expect([sharedLayers, layersNow.map((it) => it.digest), layersBefore]).toEqual([1, ['b'], []]);
});
