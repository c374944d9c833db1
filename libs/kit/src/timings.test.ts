import { scaleTimings } from './timings.ts';

describe.each([1, 1 / 3])('timings at %d', (scale) => {
  const given = scaleTimings(scale);

  it('leave a worker a second renewal before it gives up', () => {
    expect(given.renewEveryMs * 2 + given.renewalAnswerMs).toBeLessThanOrEqual(given.giveUpMs + 1);
  });
  it('let a worker take nothing on before it gives up what it has', () => {
    expect(given.connectedMs).toBeGreaterThan(given.renewEveryMs);
    expect(given.connectedMs).toBeLessThan(given.giveUpMs);
  });
  it('stop work, kill it, and free its locks before its lease ends', () => {
    expect(given.giveUpMs).toBeLessThan(given.watchdogMs);
    expect(given.watchdogMs).toBeLessThan(given.silentTransactionMs);
    expect(given.silentTransactionMs).toBeLessThan(given.leaseMs);
  });
  it('keep the session of a worker that could still renew', () => {
    expect(given.silentSessionMs).toBeGreaterThan(given.leaseMs);
  });
  it('let pauses grow', () => {
    expect(given.registryPauseMs).toBeLessThan(given.registryPauseMaxMs);
    expect(given.registrationPauseMs).toBeLessThan(given.registrationPauseMaxMs);
    expect(given.attemptPauseMs).toBeLessThan(given.attemptPauseMaxMs);
  });
});
