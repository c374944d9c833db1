import { type Database, type Image, loadImage } from '@kiln/persistence';
import type { SignalBus } from '@kiln/queue';
import { Fault } from '@kiln/domain';

export interface AwaitImageDeps {
  db: Database;
  signals: SignalBus;
}

/**
 * Runs `begin`, which gives a registrar something to do about an image, and waits, bounded, until it is done. It
 * listens from before the beginning, so that no outcome is missed.
 * @returns the image as it is then; `pending` when the time was over first
 */
export async function awaitImage(
  { db, signals }: AwaitImageDeps,
  id: string,
  waitMs: number,
  begin: () => Promise<unknown>,
): Promise<Image> {
  let wake: () => void = () => undefined;
  let told = false;
  const stop = signals.on('registered', id, () => {
    told = true;
    wake();
  });
  try {
    await begin();
    const deadline = Date.now() + waitMs;
    for (;;) {
      const left = deadline - Date.now();
      if (!told && left > 0) {
        await new Promise<void>((resolve) => {
          // Signals can be lost; looking twice a second keeps the wait useful without them.
          const timer = setTimeout(resolve, Math.min(left, 500));
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      told = false;
      const image = await loadImage(db, id);
      if (!image) throw new Fault('ImageNotFound', `there is no image ${id}`);
      if (!image.pending || deadline - Date.now() <= 0) return image;
    }
  } finally {
    stop();
  }
}
