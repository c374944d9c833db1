import { readFile } from 'node:fs/promises';

/** What the environment gives as NAME, or what is in the file that it names as NAME_FILE. */
export async function givenSecret(name: string): Promise<string | undefined> {
  const { [name]: given, [`${name}_FILE`]: file } = process.env;
  return given ?? (file === undefined ? undefined : await readFile(file, 'utf8'));
}
