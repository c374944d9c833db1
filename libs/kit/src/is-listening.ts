import { createConnection, type NetConnectOpts } from 'node:net';

/** Whether somebody listens there. A socket's file is there a moment before that, and after its process was killed. */
export const isListening = (at: NetConnectOpts): Promise<boolean> =>
  new Promise((done) => {
    const connection = createConnection(at, () => {
      connection.destroy();
      done(true);
    });
    connection.on('error', () => done(false));
  });
