import { Readable } from 'node:stream';
import { Fault, type GitAddress } from '@kiln/domain';
import type { AddressRules } from '@kiln/registry';
import type { SourceAccess } from '../access.ts';
import { openSourceHttp, sourceFault, sourceUrl } from '../http.ts';
import { preface, service } from './packet-lines.ts';
import type { GitRemote } from './remote.ts';

/** Takes the preface away, where there is one. */
async function* withoutPreface(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let head = Buffer.alloc(0);
  let isPast = false;
  for await (const chunk of body) {
    if (isPast) {
      yield chunk;
      continue;
    }
    head = Buffer.concat([head, chunk]);
    if (head.length < preface.length) continue;
    isPast = true;
    yield head.toString('latin1', 0, preface.length) === preface ? head.subarray(preface.length) : head;
  }
  if (!isPast) yield head;
}

/** A repository by git's smart HTTP. */
export function openHttpRemote(address: GitAddress, access: SourceAccess, rules: AddressRules): GitRemote {
  const http = openSourceHttp(access, rules);
  let base = sourceUrl(access, `https://${address.host}${address.path.replace(/\/+$/, '')}`);
  const name = `repository ${address.path}`;
  return {
    async advertise(signal) {
      const url = new URL(`${base.pathname}/info/refs?service=${service}`, base);
      const answer = await http.send({ method: 'GET', url, signal });
      if (answer.status !== 200) throw sourceFault(answer, address.host, name);
      if (answer.headers['content-type'] !== `application/x-${service}-advertisement`) {
        answer.body.destroy();
        throw new Fault('SourceInvalid', `${address.host} has no git repository at ${address.path}`);
      }
      // A repository that was renamed has another address, which the requests to come go to.
      base = new URL(answer.url.href.replace(/\/info\/refs\?.*$/, ''));
      return Readable.from(withoutPreface(answer.body), { objectMode: false });
    },
    async answer(request, signal) {
      const answer = await http.send({
        method: 'POST',
        url: new URL(`${base.pathname}/${service}`, base),
        headers: {
          'content-type': `application/x-${service}-request`,
          accept: `application/x-${service}-result`,
        },
        body: request,
        signal,
      });
      if (answer.status !== 200) throw sourceFault(answer, address.host, name);
      return answer.body;
    },
    close: () => http.close(),
  };
}
