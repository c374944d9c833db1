const units = { '': 1, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 } as const;

/** `8Gi` → bytes. */
export function parseBytes(text: string): number {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)(Ki|Mi|Gi|Ti)?$/.exec(text) ?? [];
  return Math.round(Number(number) * units[unit as keyof typeof units]);
}

/** `2`, `0.5` or `500m` → thousandths of a processor. */
export const parseCpu = (text: string): number =>
  text.endsWith('m') ? Number(text.slice(0, -1)) : Math.round(Number(text) * 1000);
