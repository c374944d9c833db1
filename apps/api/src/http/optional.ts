/** A field of an answer, where there is a value for it. */
export const optional = (name: string, value: unknown) =>
  value === null || value === undefined ? {} : { [name]: value };
