import { Secret } from '@kiln/kit';
import { Fault } from '@kiln/domain';
import { Redaction } from './redaction.ts';

const secret = 'tök/en+with~odd chars=';
const redaction = (): Redaction => {
  const it = new Redaction();
  it.hide([new Secret(secret)]);
  return it;
};

describe('Redaction', () => {
  it.each([
    ['as it is', secret],
    ['URL-encoded', encodeURIComponent(secret)],
    ['in base64', Buffer.from(secret).toString('base64')],
    ['in base64 behind one byte', Buffer.from(`a${secret}b`).toString('base64')],
    ['in base64 behind two bytes', Buffer.from(`ab${secret}`).toString('base64')],
    ['in base64 for addresses', Buffer.from(`u:${secret}`).toString('base64url')],
  ])('hides a secret %s', (_how, written) => {
    const shown = redaction().text(`before ${written} after`);
    expect(shown).toContain('***');
    expect(shown).toMatch(/^before .*after$/);
    // What is left of an encoding gives nothing away.
    const rest = shown.replace(/^before |\*\*\*| after$/g, '');
    expect(rest.length).toBeLessThan(8);
  });

  it('hides one that is cut between two pieces of a line, wherever', () => {
    const line = `xx${secret}yy`;
    for (let at = 1; at < line.length; at += 1) {
      const it = redaction();
      expect(it.line(line.slice(0, at), true) + it.line(line.slice(at), false)).toBe('xx***yy');
    }
  });

  it('hides each line of a key, and loses nothing of what it does not hide', () => {
    const it = new Redaction();
    it.hide([new Secret('-----BEGIN-----\nAAAABBBBCCCC\nDDDDEEEEFFFF\n')]);
    expect(it.text('a AAAABBBBCCCC b')).toBe('a *** b');
    const pieces = Array.from({ length: 5 }, (_, n) => it.line('z'.repeat(100 + n), n < 4));
    expect(pieces.join('')).toHaveLength(510);
  });

  it('hides in an error, too', () => {
    const fault = redaction().fault(new Fault('StepFailed', `m ${secret}`, { step: secret, logTail: ['x', secret] }));
    expect(JSON.stringify([fault.message, fault.details])).not.toContain('odd chars');
  });
});
