import { parseImageName } from '../images/reference.ts';
import { invalid } from './step.ts';

// Transports of other engines would name files of this machine.
const imageName = /^[A-Za-z0-9][A-Za-z0-9.:_/-]*(?:@sha256:[0-9a-f]{64})?$/;
const otherTransport =
  /^(?:docker|oci|oci-archive|dir|docker-archive|docker-daemon|containers-storage|sif|ostree|tarball):/;

const isInRegistry = (image: string): boolean => !otherTransport.test(image) && imageName.test(image);

/** Whether it may be the name of an image in a registry. */
export function isImageName(image: string): boolean {
  try {
    parseImageName(image);
    return isInRegistry(image);
  } catch {
    return false;
  }
}

/** @throws Fault DockerfileInvalid when a name can be no image's */
export function checkImage(image: string, line: number): void {
  if (!isInRegistry(image)) throw invalid(line, `${JSON.stringify(image)} is not an image in a registry`);
  if (!isImageName(image))
    throw invalid(line, `${JSON.stringify(image)} is not the name of an image: host/namespace/name:tag`);
}
