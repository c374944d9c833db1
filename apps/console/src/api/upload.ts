import { ApiError, csrfHeader } from './api-client.ts';

export interface Uploaded {
  Id: string;
  Files: number;
  Bytes: number;
}

/**
 * Sends an archive as a build context. Only this old way of sending tells how far it is.
 * @param onSent told the share that is sent, from 0 to 1
 * @throws ApiError; TypeError when the api cannot be reached
 */
export function uploadContext(archive: Blob, onSent: (share: number) => void): Promise<Uploaded> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', '/api/v1/contexts');
    request.responseType = 'json';
    request.setRequestHeader('content-type', 'application/x-tar');
    for (const [name, value] of Object.entries(csrfHeader())) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded, total }) => onSent(total === 0 ? 1 : loaded / total);
    request.onload = () =>
      request.status < 300
        ? resolve(request.response as Uploaded)
        : reject(new ApiError(request.status, (request.response ?? {}) as Record<string, string>));
    request.onerror = () => reject(new TypeError('the api cannot be reached'));
    request.send(archive);
  });
}
