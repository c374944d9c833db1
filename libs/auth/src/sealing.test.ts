import { randomBytes } from 'node:crypto';
import { Secret } from '@kiln/kit';
import { openSealer } from './sealing.ts';

const newSealer = () => openSealer(new Secret(randomBytes(32).toString('base64')));

describe('sealing', () => {
  it('opens what it sealed, and nothing altered, moved or sealed with another key', () => {
    const sealer = newSealer();
    const sealed = sealer.seal(new Secret('pässword'), 'key:1');
    expect(sealed).not.toContain('pässword');
    expect(sealer.open(sealed, 'key:1').reveal()).toBe('pässword');
    expect(() => sealer.open(sealed, 'key:2')).toThrow();
    expect(() => sealer.open(`${sealed.slice(0, -2)}AA`, 'key:1')).toThrow();
    expect(() => newSealer().open(sealed, 'key:1')).toThrow(/sealed with key/);
  });

  it('never prints a secret', () => {
    const secret = new Secret('hunter2');
    expect(`${String(secret)} ${JSON.stringify({ secret })}`).toBe('*** {"secret":"***"}');
  });

  it('refuses a key of the wrong length', () => {
    expect(() => openSealer(new Secret('c2hvcnQ='))).toThrow(/32 bytes/);
  });
});
