import { limitsOf, networkOf } from '@kiln/domain';
import { platformSchema } from './platform.ts';

const platform = (given: object = {}) => platformSchema.parse(given);
const failure = (work: () => unknown): string => {
  try {
    work();
    return 'accepted';
  } catch (error) {
    return (error as Error).message;
  }
};
const gib = 2 ** 30;

describe('instance types of the cloud', () => {
  it.each([
    ['ecs.c6.large', 2, 4],
    ['ecs.c7a.large', 2, 4],
    ['ecs.g6.xlarge', 4, 16],
    ['ecs.g7ne.2xlarge', 8, 32],
    ['ecs.r6.2xlarge', 8, 64],
    ['ecs.r8i.large', 2, 16],
    ['ecs.hfc6.large', 2, 4],
    ['ecs.hfg7.xlarge', 4, 16],
    ['ecs.hfr7.xlarge', 4, 32],
    ['ecs.t6-c1m2.large', 2, 4],
    ['ecs.t5-lc1m4.large', 2, 8],
    ['ecs.u1-c1m8.xlarge', 4, 32],
    ['ecs.e-c1m1.large', 2, 2],
    ['ecs.gn5-c4g1.xlarge', 4, 30],
    ['ecs.gn6i-c4g1.xlarge', 4, 15],
    ['ecs.gn6v-c8g1.2xlarge', 8, 32],
    ['ecs.gn7i-c8g1.2xlarge', 8, 30],
    ['ecs.gn7-c12g1.3xlarge', 12, 93],
    ['ecs.gn7e-c16g1.4xlarge', 16, 124],
    ['ecs.vgn6i-m4.xlarge', 4, 23],
    ['ecs.ebmc6.large', 2, 4],
  ])('%s has %i processors and %i GiB', (EcsSpec, processors, memory) => {
    const { limits, note } = limitsOf(platform(), { class: EcsSpec });
    expect({ cpu: limits.cpuMillis, memory: limits.memoryBytes / gib, note }).toEqual({
      cpu: processors * 1000,
      memory,
      note: undefined,
    });
  });

  it.each(['ecs.ebmgn7e.32xlarge', 'ecs.ebmg6.26xlarge', 'ecs.gn6v-c10g1.20xlarge'])(
    '%s gives no build more than any may have',
    (EcsSpec) => {
      const { limits } = limitsOf(platform({ most: { CPU: '8', Memory: '32Gi' } }), { class: EcsSpec });
      expect(limits).toMatchObject({ cpuMillis: 8000, memoryBytes: 32 * gib });
    },
  );

  it.each(['ecs.zz9.large', 'ecs.cx1.large', 'ecs.c6.huge', 'ecs.c6.2large', 'ecs.s6-c1m2.small'])(
    '%s, which nobody knows, means the default class, with a note',
    (EcsSpec) => {
      const { limits, note } = limitsOf(platform({ resources: { default: { CPU: '3', Memory: '5Gi' } } }), {
        class: EcsSpec,
      });
      expect(limits).toMatchObject({ cpuMillis: 3000, memoryBytes: 5 * gib });
      expect(note).toBe(`Resource.EcsSpec: ${EcsSpec} is not known here; the build has the default class (3 CPU, 5Gi)`);
    },
  );

  it.each([
    ['another form', {}, 'huge'],
    ['an operator who is strict', { strictClasses: true }, 'ecs.zz9.large'],
    ['an operator who lists them', { shippedClasses: false }, 'ecs.c6.large'],
    ['the name of what objects have', {}, 'constructor'],
  ])('with %s a name that is not known is refused', (_what, given, EcsSpec) => {
    expect(failure(() => limitsOf(platform(given), { class: EcsSpec }))).toContain(
      `Resource.EcsSpec: there is no resource class "${EcsSpec}"`,
    );
  });

  it('the operator’s classes go first, and theirs for all other names before any note', () => {
    const given = platform({ resources: { 'ecs.c6.large': { CPU: '1', Memory: '1Gi' }, '*': { CPU: '7', Memory: '7Gi' } } });
    expect(limitsOf(given, { class: 'ecs.c6.large' }).limits.cpuMillis).toBe(1000);
    expect(limitsOf(given, { class: 'ecs.zz9.large' })).toMatchObject({ limits: { cpuMillis: 7000 } });
    expect(limitsOf(given, { class: 'ecs.zz9.large' }).note).toBeUndefined();
  }); // prettier-ignore
});

describe('networks of the cloud', () => {
  const request = {
    name: 'vpc-abcdef',
    subnet: 'vs-abcdef',
    group: 'sg-abcdef',
    openBlocks: ['10.0.0.0/24'],
    route: 'eth1' as const,
  };

  it('where no networks are described, every name means the public one, with a note and nothing opened', () => {
    const { network, note } = networkOf(platform().networks, request);
    expect(network).toEqual(networkOf(platform().networks, undefined).network);
    expect(network).toMatchObject({ allow: [], only: [], way: 0 });
    expect(note).toBe(
      'UserVpc: no networks are described here; instead of vpc-abcdef, the build has the public network',
    );
    expect(networkOf(platform().networks, {}).note).toBeUndefined();
    expect(networkOf(platform().networks, undefined).note).toBeUndefined();
  });

  it('where some are, one that is not is refused', () => {
    const { networks } = platform({ networks: { 'vpc-1': {} } });
    expect(failure(() => networkOf(networks, request))).toContain(
      'UserVpc.VpcId: there is no network "vpc-abcdef" here',
    );
    expect(networkOf(networks, { name: 'vpc-1' }).note).toBeUndefined();
  });
});
