import { type ElfFacts } from '@kiln/domain';

/** How many bytes of a program are looked at: its header, and as a rule the names that it asks of libraries. */
export const elfHeadBytes = 64 << 10;

/** e_machine, and whether it is little-endian where that makes another architecture of it. */
const machines: Record<number, string> = {
  3: '386',
  8: 'mips',
  20: 'ppc',
  21: 'ppc64',
  22: 's390x',
  40: 'arm',
  62: 'amd64',
  183: 'arm64',
  243: 'riscv64',
  258: 'loong64',
};

/** Reads the head of a program or library (System V ABI); undefined for another file. */
export function readElf(head: Buffer): ElfFacts | undefined {
  if (head.length < 20 || head.readUInt32BE(0) !== 0x7f454c46) return undefined;
  const little = head[5] === 1;
  const machine = machines[little ? head.readUInt16LE(18) : head.readUInt16BE(18)];
  const arch = machine === 'ppc64' && little ? 'ppc64le' : machine;
  let minor = -1;
  for (const [, found] of head.toString('latin1').matchAll(/GLIBC_2\.(\d{1,3})/g))
    minor = Math.max(minor, Number(found));
  return { arch, ...(minor < 0 ? {} : { glibc: `2.${minor}` }) };
}
