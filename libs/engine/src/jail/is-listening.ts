import { createConnection } from 'node:net';

/** Whether somebody listens on a socket: its file is there a moment before that, and after its process was killed. */
export const isListening = (path: string): Promise<boolean> =>
  new Promise((done) => {
    const connection = createConnection(path, () => {
      connection.destroy();
      done(true);
    });
    connection.on('error', () => done(false));
  });
