import { backoffMs } from '@kiln/kit';
import { announce, announceRegistration, claimImage, settleImage, inTransaction } from '@kiln/persistence';
import { verifyImage } from '@kiln/registry';
import { asFault, describeFault } from '@kiln/schemas';
import { accessForHost } from '@kiln/services';
import { type RegisterDeps } from './deps.ts';

/** Finds out what a registry holds under an outside image's reference, and records it. */
export async function registerImage(deps: RegisterDeps, id: string): Promise<void> {
  const { db, log } = deps;
  const image = await claimImage(db, id);
  if (!image) return;
  try {
    const access = await accessForHost(db, deps.sealer, image.accountId, image.host);
    const { digest, mediaType, platforms, sizeBytes } = await verifyImage(
      deps.registries.for(access),
      image.repository,
      image.tag,
      image.arch,
    );
    await settleImage(db, image, { status: 'ACTIVE', verified: { digest, mediaType, platforms, sizeBytes } });
    log.info({ imageId: id, digest }, 'image registered');
  } catch (error) {
    const fault = asFault(error);
    if (fault.code === 'RegistryUnreachable' || fault.code === 'InternalError') {
      log.warn({ imageId: id, code: fault.code, err: fault.cause }, fault.message);
      const delayMs = backoffMs(image.attempt, 1000, 60_000);
      await inTransaction(db, async (tx) => {
        const put = await settleImage(tx, image, { status: 'CREATING', reason: fault.message, delayMs });
        if (put) await announce(tx, announceRegistration('image', id, image.attempt, delayMs));
      });
    } else {
      await settleImage(db, image, { status: 'CREATE_FAILED', error: describeFault(fault, 'verify', image.attempt) });
      log.info({ imageId: id, code: fault.code }, 'image refused');
    }
  }
  deps.signals.send('registered', id);
}
