/** A field of an answer, where there is a value for it. */
export const optional = <N extends string, V>(name: N, value: V | null | undefined): Partial<Record<N, V>> =>
  (value === null || value === undefined ? {} : { [name]: value }) as Partial<Record<N, V>>;
