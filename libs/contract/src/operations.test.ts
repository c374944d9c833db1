import { apis, commonErrors } from './operation.ts';
import { errorCodes } from '@kiln/domain';
import { operations } from './operations.ts';
import { refuseNearMisses } from './parse.ts';

describe('operations', () => {
  it.each(operations.map((it) => [it.name, it] as const))('%s has an example that its own schemas take', (_, it) => {
    const { params = {}, query = {}, body, reply } = it.example;
    const names = [...it.path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
    expect(Object.keys(params)).toEqual(names);
    expect(it.query.strict().safeParse(query).error).toBeUndefined();
    if (it.body) expect(it.body.safeParse(body).error).toBeUndefined();
    expect(it.reply.strict().safeParse(reply).error).toBeUndefined();
  });

  it('are told apart by name, and by method and path', () => {
    for (const key of [
      (it: (typeof operations)[number]) => it.name,
      (it: (typeof operations)[number]) => `${it.method} ${it.path}`,
    ])
      expect(new Set(operations.map(key)).size).toBe(operations.length);
  });

  it('have errors whose status is an error’s in their dialect', () => {
    for (const it of operations) {
      const { dialect } = apis[it.api];
      for (const code of [...it.errors, ...commonErrors[dialect]])
        expect(errorCodes[code][dialect].status).toBeGreaterThanOrEqual(400);
    }
  });
});

describe('refuseNearMisses', () => {
  const names = ['UserVpc', 'is_force'];
  it.each([[{ userVpc: 1 }], [{ a: { user_vpc: 1 } }], [{ isForce: true }], [{ USERVPC: 1 }]])(
    'refuses %j',
    (input) => {
      expect(() => refuseNearMisses(input, names)).toThrow(/is not a field; (UserVpc|is_force) is/);
    },
  );
  it.each([[{ UserVpc: 1 }], [{ Other: { UserVpcs: 1 } }], [null], ['userVpc'], [[{ userVpc: 1 }]]])(
    'takes %j',
    (input) => {
      expect(() => refuseNearMisses(input, names)).not.toThrow();
    },
  );
});
