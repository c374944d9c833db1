import type { Logger } from '@kiln/kit';
import { eventually } from '@kiln/kit/testing';
import type { Broker } from '../broker.ts';
import { consume } from '../consumer.ts';
import { openProducer } from '../producer.ts';
import { openSignals } from '../signals.ts';

/** A job of the builders' queue, as the outbox holds it. */
export const job = (buildId: string, attempt = 0) => ({
  topic: 'image-build',
  key: `${buildId}-${attempt}`,
  payload: { v: 1, buildId, attempt },
});

/** Works off the builders' queue of a broker and hears its signals, to show that both go on after a loss. */
export function watchBroker(broker: Broker, log: Logger) {
  const producer = openProducer(broker);
  const signals = openSignals(broker);
  const seen: string[] = [];
  const consumer = consume({ broker, queue: 'image-build', concurrency: 1, log }, ({ buildId }) =>
    Promise.resolve(void seen.push(buildId)),
  );
  const send = (buildId: string): Promise<void> => producer.send([job(buildId)]);
  const took = (buildId: string) =>
    eventually(() => (seen.includes(buildId) ? true : undefined), `${buildId} to be taken`);
  return {
    send,
    took,
    /** As the relay and the sweeper do: what could not be sent, or was not taken, is sent again. */
    async goesOn(buildId: string): Promise<void> {
      const again = setInterval(() => void send(buildId).catch(() => undefined), 1500);
      await send(buildId).catch(() => undefined);
      await took(buildId).finally(() => clearInterval(again));
      let heard = 0;
      signals.on('cancel', 'x', () => (heard += 1));
      await eventually(() => {
        signals.send('cancel', 'x');
        return heard > 0 ? true : undefined;
      }, 'a signal');
    },
    close: async (): Promise<void> => {
      await consumer.close();
      signals.close();
      await producer.close();
    },
  };
}
