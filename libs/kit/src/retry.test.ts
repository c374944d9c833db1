import { retry } from './retry.ts';

const failing = (times: number) => {
  let tried = 0;
  return () => ((tried += 1) > times ? Promise.resolve(tried) : Promise.reject(new Error(`try ${tried}`)));
};
const pauseMs = () => 1;

it('tries again until it succeeds, and says so before each pause', async () => {
  const paused: number[] = [];
  expect(await retry(failing(2), { pauseMs, onPause: (tried) => paused.push(tried) })).toBe(3);
  expect(paused).toEqual([1, 2]);
});
it('ends with the error of the last try', async () => {
  await expect(retry(failing(9), { pauseMs, tries: 3 })).rejects.toThrow('try 3');
});
it('ends at once where another try cannot succeed', async () => {
  await expect(retry(failing(9), { pauseMs, isPassing: () => false })).rejects.toThrow('try 1');
});
it('ends in a pause when it is aborted', async () => {
  const abort = new AbortController();
  const ended = retry(failing(9), { pauseMs: () => 60_000, signal: abort.signal, onPause: () => setTimeout(() => abort.abort(), 5) }); // prettier-ignore
  await expect(ended).rejects.toThrow('aborted');
});
