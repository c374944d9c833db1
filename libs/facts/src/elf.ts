import type { ElfFacts } from '@kiln/domain';

/** How many bytes of a program are looked at: those of its header. */
export const elfHeadBytes = 64;

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
  return { arch };
}
