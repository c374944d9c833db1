/** A text as PostgreSQL takes it: without NUL, and without half of a character. */
export const storable = (text: string): string => text.replaceAll('\0', '').toWellFormed();
