import { operations, type Operation } from '@kiln/contract';
import type { CloudClient, CloudReply, CloudRequest } from './cloud-clients.ts';
import { exceptions, vendorContract } from './vendor-contract.ts';

/** What of an operation was seen to work through one client. */
interface Seen {
  proven: Set<string>;
  reply: Set<string>;
  failures: Set<string>;
}

/** Leaves of a JSON value, dotted; items of an array share one name. */
export function leaves(value: unknown, at = ''): string[] {
  if (Array.isArray(value)) {
    const items = value.flatMap((it) => leaves(it, `${at}[]`));
    return items.length > 0 ? items : [`${at}[]`];
  }
  if (typeof value === 'object' && value !== null)
    return Object.entries(value).flatMap(([name, it]) => leaves(it, at === '' ? name : `${at}.${name}`));
  return [at];
}

/** Collects what tests saw, client by client, and writes it down. */
export class ConformanceRecord {
  private readonly seen = new Map<string, Map<string, Seen>>();

  private of(operation: string, client: string): Seen {
    const byClient = this.seen.get(operation) ?? new Map<string, Seen>();
    this.seen.set(operation, byClient);
    const seen = byClient.get(client) ?? { proven: new Set(), reply: new Set(), failures: new Set() };
    byClient.set(client, seen);
    return seen;
  }

  /** The client, with every exchange written down. */
  watch(client: CloudClient): CloudClient {
    return {
      name: client.name,
      call: async (operation: Operation, request?: CloudRequest): Promise<CloudReply> => {
        const answer = await client.call(operation, request);
        const seen = this.of(operation.name, client.name);
        if (answer.error) seen.failures.add(answer.error.code);
        else for (const it of leaves(answer.reply)) seen.reply.add(it);
        return answer;
      },
    };
  }

  /** Called at the end of a test that has passed: fields of a request whose effect it saw. */
  proved(client: CloudClient, operation: Operation, fields: string): void {
    for (const it of fields.split(' ')) this.of(operation.name, client.name).proven.add(it);
  }

  /** The document, or the list of what no test has seen. */
  render(): { text: string; untested: string[] } {
    const untested: string[] = [];
    const sections = Object.entries(vendorContract).map(([name, vendor]) => {
      const operation = operations.find((it) => it.name === name);
      const clients = [...(this.seen.get(name) ?? new Map<string, Seen>())];
      const everywhere = (has: (seen: Seen) => boolean) => clients.length > 0 && clients.every(([, it]) => has(it));
      const fields = [
        ...vendor.request.map((it) => ({ field: it, works: everywhere((seen) => seen.proven.has(it)) })),
        ...vendor.reply.map((it) => ({
          field: `reply.${it}`,
          works: everywhere((seen) => seen.reply.has(it)),
        })),
      ];
      const rows = fields.map(({ field, works }) => {
        const exception = exceptions[name]?.[field];
        if (exception?.kind === 'not applicable') return `| \`${field}\` | not applicable | ${exception.how} |`;
        if (!works) untested.push(`${name} ${field}`);
        return exception ? `| \`${field}\` | differs | ${exception.how} |` : `| \`${field}\` | works | |`;
      });
      const failures = [...new Set(clients.flatMap(([, it]) => [...it.failures]))].sort();
      const head = operation ? `\`${operation.method} ${operation.path}\`` : 'Not served.';
      return [
        `### ${name}`,
        '',
        head,
        '',
        ...(clients.length > 0 ? [`Through ${clients.map(([it]) => `\`${it}\``).join(', ')}.`] : []),
        ...(failures.length > 0 ? [`Failures seen: ${failures.map((it) => `\`${it}\``).join(', ')}.`] : []),
        ...(clients.length > 0 ? [''] : []),
        '| field | verdict | |',
        '| --- | --- | --- |',
        ...rows,
        '',
      ].join('\n');
    });
    const text = [
      '# Compatibility with the clouds’ own clients',
      '',
      '<!-- Written by the conformance tests from what they saw; see CONTRIBUTING.md. Do not edit. -->',
      '',
      'Each operation was called through the clients named with it, as published on npm, against a running Kiln. A field',
      '_works_ when a test saw its effect, or read it, through every one of them.',
      '',
      ...(['Alibaba PAI', 'Huawei ModelArts'] as const).flatMap((cloud) => [
        `## ${cloud}`,
        '',
        ...sections.filter((_, n) => Object.values(vendorContract)[n]?.cloud === cloud),
      ]),
    ].join('\n');
    return { text, untested };
  }
}
