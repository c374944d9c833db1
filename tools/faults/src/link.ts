import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A TCP connection's way to a server, which a test may disturb. */
export interface Link {
  port: number;
  /**
   * `pass`: as if it were not there. `black-hole`: bytes vanish and nobody is told; what was connected then stays
   * broken, as behind a middlebox that lost its table. `refuse`: connections are closed at once.
   */
  set(mode: 'pass' | 'black-hole' | 'refuse'): void;
  /** Leads to another server from now on; what is connected to the old one is cut. */
  lead(targetPort: number): void;
  close(): Promise<void>;
}

interface Pair {
  near: Socket;
  far: Socket;
  swallows: boolean;
}

export async function openLink(firstPort: number): Promise<Link> {
  let targetPort = firstPort;
  const pairs = new Set<Pair>();
  let mode: Parameters<Link['set']>[0] = 'pass';
  const server = createServer({ pauseOnConnect: false }, (near) => {
    near.on('error', () => undefined);
    if (mode === 'refuse') return void near.destroy();
    const far = connect(targetPort, '127.0.0.1');
    const pair: Pair = { near, far, swallows: mode === 'black-hole' };
    pairs.add(pair);
    const forward = (from: Socket, to: Socket) => {
      from.on('data', (bytes) => {
        if (!pair.swallows) to.write(bytes);
      });
      from.on('error', () => undefined);
      from.on('close', () => {
        pairs.delete(pair);
        // A hole does not pass on the end either.
        if (!pair.swallows) to.destroy();
      });
    };
    forward(near, far);
    forward(far, near);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const end = (pair: Pair) => {
    pair.near.destroy();
    pair.far.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    set(next) {
      mode = next;
      for (const pair of pairs) {
        if (mode === 'black-hole') pair.swallows = true;
        if (mode === 'refuse') end(pair);
      }
    },
    lead(next) {
      targetPort = next;
      pairs.forEach(end);
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      pairs.forEach(end);
      await closed;
    },
  };
}
