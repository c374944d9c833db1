import { openLogger } from './logger.ts';
import { Secret } from '../secret.ts';

const logged = (write: (log: ReturnType<typeof openLogger>) => void): string => {
  let text = '';
  write(openLogger('test', 'info', { write: (line) => void (text += line) }));
  return text;
};

describe('the log', () => {
  it('is a JSON object a line, with the ids that it is given', () => {
    const text = logged((log) => log.child({ buildId: 'build-1', attempt: 2 }).info({ requestId: 'r' }, 'said'));
    expect(JSON.parse(text)).toMatchObject({
      app: 'test',
      buildId: 'build-1',
      attempt: 2,
      requestId: 'r',
      msg: 'said',
    });
    expect(text.endsWith('\n')).toBe(true);
  });

  it.each([
    ['a header', { req: { headers: { authorization: 'hunter2', cookie: 'hunter2', 'x-auth-token': 'hunter2' } } }],
    ['a password', { registry: { password: 'hunter2' } }],
    ['a token', { token: 'hunter2' }],
    ['a secret of our own', { anything: new Secret('hunter2') }],
    ['credentials of registries', { body: { BuildConfig: { RegistryAuths: [{ Auth: 'hunter2' }] } } }],
  ])('never holds %s', (_, fields) => {
    const text = logged((log) => log.info(fields, 'said'));
    expect(text).not.toContain('hunter2');
    expect(text).toContain('***');
  });
});
