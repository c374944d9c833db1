import { apis, operations } from '@kiln/contract';
import { testsAll } from '@kiln/kit/testing';
import fc from 'fast-check';
import {
  exampleFor,
  expectDialect,
  idsFor,
  openTestKiln,
  send,
  sendOperation,
  type TestKiln,
  written,
} from '@kiln/stack/testing';
import { requestFor } from './odd-requests.ts';

let kiln: TestKiln;
beforeAll(async () => {
  kiln = await openTestKiln({
    apps: ['registrar'],
    env: { KILN_REGISTER_WAIT_MS: '2000', KILN_REQUESTS_PER_SECOND: '0' },
  });
});
afterAll(() => kiln.stop());

describe('the documented example', () => {
  // There is a session to end in a browser only, where its own test ends it.
  const shown = operations.filter((it) => it.name !== 'DeleteSession');
  it.each(shown.map((it) => [it.name, it] as const))('of %s works', async (_, operation) => {
    const ids = await idsFor(kiln, operation);
    const got = await sendOperation(kiln, operation, ids, await exampleFor(kiln, operation));
    expect({ status: got.status, text: got.text }).toMatchObject({ status: operation.statuses[0] });
    expectDialect(operation, got);
  });
});

describe('random, near-valid and oversized requests', () => {
  it.each(operations.map((it) => [it.name, it] as const))(
    '%s: no 5xx, no hang, no other dialect, nothing half-written',
    async (_, operation) => {
      const ids = await idsFor(kiln, operation);
      const { body: example } = await exampleFor(kiln, operation);
      await fc.assert(
        fc.asyncProperty(requestFor(kiln, operation, ids, example), async (sent) => {
          const before = await written(kiln);
          const got = await send(kiln, sent);
          expect(got.status).toBeLessThan(500);
          expectDialect(operation, got);
          if (got.status >= 400 && got.status !== 404) expect(await written(kiln)).toBe(before);
        }),
        // The same requests every time, unless another seed is asked for.
        {
          numRuns: Number(process.env['KILN_FUZZ_RUNS'] ?? (testsAll ? 40 : 12)),
          seed: Number(process.env['KILN_FUZZ_SEED'] ?? 1),
          endOnFailure: true,
        },
      );
    },
    120_000,
  );
});

describe('strangers', () => {
  it.each(operations.filter((it) => !it.anonymous).map((it) => [it.name, it] as const))(
    '%s asks who they are, in its dialect',
    async (_, operation) => {
      const path = operation.path.replace(/\{(\w+)\}/g, 'x');
      const answer = await fetch(kiln.url + path, { method: operation.method });
      const text = await answer.text();
      const expected = apis[operation.api].dialect === 'pai' ? 400 : 401;
      expect(answer.status).toBe(expected);
      expectDialect(operation, { status: expected, type: answer.headers.get('content-type') ?? '', headers: answer.headers, text }); // prettier-ignore
    },
  );
});
