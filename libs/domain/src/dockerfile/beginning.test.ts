import { beginningOf } from './beginning.ts';

it('ends with the first step that changes files, and knows no comments and line breaks', () => {
  const [one, two] = ['# a\nFROM x\nENV A=1\nRUN a \\\n  b\nCOPY . .\n', 'from x\nENV A=1\nRUN a   b\nRUN other\n'];
  expect(beginningOf(one)).toBe('FROM x\nENV A=1\nRUN a   b');
  expect(beginningOf(two)).toBe(beginningOf(one));
  expect(beginningOf('FROM x\nENV A=2\nRUN a   b\n')).not.toBe(beginningOf(one));
});

it.each(['', 'FROM x\n', 'FROM x\nCMD y\n'])('is empty without such a step: %j', (text) => {
  expect(beginningOf(text)).toBe('');
});
