import { combinations, valuesOf } from './testing/combinations.ts';
import { chart, helmWith, render } from './testing/helm.ts';
import { violations } from './testing/kubernetes-schemas.ts';
import { podsOf } from './testing/pods.ts';
import { rules } from './testing/rules.ts';

const names = Object.keys(combinations);

describe.each(names)('%s', (name) => {
  const values = valuesOf(name);

  it('passes the strict linter of helm', async () => {
    const { ok, stdout, stderr } = await helmWith(values, 'lint', '--strict', chart);
    expect({ ok, said: ok ? '' : stdout + stderr }).toEqual({ ok: true, said: '' });
  });

  it('renders objects that fit the schemas and keep to all rules', async () => {
    const objects = await render(values);
    expect(podsOf(objects).length).toBeGreaterThan(0);
    expect(objects.flatMap(violations)).toEqual([]);
    const broken = Object.entries(rules).map(([rule, find]) => [rule, find(objects)]);
    expect(Object.fromEntries(broken)).toEqual(Object.fromEntries(Object.keys(rules).map((it) => [it, []])));
  });
});
