import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Profile, severities, versionedFacts } from '@kiln/domain';
import { z } from 'zod';

const absolute = z.string().regex(/^\//, 'must be an absolute path');
const expression = z.string().refine((it) => {
  try {
    new RegExp(it);
    return true;
  } catch {
    return false;
  }
}, 'must be a regular expression');
const driverVersion = z.string().regex(/^\d+(?:\.\d+){1,3}$/, 'must be a version of NVIDIA’s driver, as 535.129.03');
const port = z.int().min(1).max(65_535);

const check = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('user'),
    uid: z.int().min(0),
    gid: z.int().min(0).optional(),
    name: z.string().optional(),
    group: z.string().optional(),
    home: absolute.optional(),
  }),
  z.strictObject({ kind: z.literal('run-as'), users: z.array(z.string()).min(1) }),
  z.strictObject({ kind: z.literal('size'), of: z.enum(['compressed', 'unpacked']), max: z.int().min(1) }),
  z.strictObject({ kind: z.literal('no-file'), paths: z.array(expression).min(1) }),
  z.strictObject({ kind: z.literal('empty'), folders: z.array(absolute).min(1) }),
  z.strictObject({ kind: z.literal('file'), paths: z.array(absolute).min(1) }),
  z.strictObject({ kind: z.literal('programs'), names: z.array(z.string().min(1)).min(1) }),
  z.strictObject({ kind: z.literal('env'), name: z.string().min(1), value: z.string().optional() }),
  z.strictObject({ kind: z.literal('working-dir'), path: absolute }),
  z.strictObject({ kind: z.literal('command'), cmd: z.boolean().optional() }),
  z.strictObject({ kind: z.literal('ports'), exposed: z.array(port).optional(), reserved: z.array(port).optional() }),
  z.strictObject({ kind: z.literal('architecture'), only: z.array(z.string()).optional() }),
  z.strictObject({
    kind: z.literal('version'),
    of: z.enum(versionedFacts),
    min: z.string().optional(),
    max: z.string().optional(),
    required: z.boolean(),
  }),
  z.strictObject({ kind: z.literal('driver'), nvidia: driverVersion.optional() }),
  z.strictObject({ kind: z.literal('packages'), anyOf: z.array(z.array(z.string().min(1)).min(1)).min(1) }),
  z.strictObject({ kind: z.literal('conda') }),
  z.strictObject({ kind: z.literal('setuid'), except: z.array(absolute) }),
]);

const profile: z.ZodType<Profile> = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'must be lower case letters, digits and hyphens'),
  title: z.string().min(1),
  version: z.int().min(1),
  rules: z
    .array(
      z.strictObject({
        id: z.string().min(1),
        title: z.string().min(1),
        severity: z.enum(severities),
        categories: z.array(z.string()).optional(),
        check,
        fix: z.array(z.string()),
        source: z.string(),
        date: z.iso.date(),
      }),
    )
    .min(1),
  notes: z.array(z.string()).default([]),
});

export const profileSettings = {
  /** Folder of an operator's own profiles. */
  KILN_PROFILES_DIR: z.string().min(1).optional(),
  /** The oldest driver of the GPUs on which images are to run: `535.129.03`. */
  KILN_GPU_DRIVER: driverVersion.optional(),
};

const shipped = fileURLToPath(new URL('../profiles/', import.meta.url));

const readIn = (dir: string): Profile[] =>
  readdirSync(dir)
    .filter((it) => it.endsWith('.json'))
    .sort()
    .map((name) => {
      const file = join(dir, name);
      const fail = (why: string) => new Error(`the profile ${file} cannot be used: ${why}`);
      let json: unknown;
      try {
        json = JSON.parse(readFileSync(file, 'utf8'));
      } catch (error) {
        throw fail(error instanceof Error ? error.message : String(error));
      }
      const parsed = profile.safeParse(json);
      if (parsed.success) return parsed.data;
      throw fail(parsed.error.issues.map((it) => `${it.path.join('.')}: ${it.message}`).join('; '));
    });

/**
 * The profiles that come with Kiln, and an operator's own, which replace those of the same name.
 * @param dir folder of an operator's JSON files
 * @param driver NVIDIA's, for the rules that name none of their own
 * @throws Error that names the file and the field
 */
export function readProfiles(dir?: string, driver?: string): Profile[] {
  const all = new Map([...readIn(shipped), ...(dir ? readIn(dir) : [])].map((it) => [it.name, it]));
  return [...all.values()].map((it) => ({
    ...it,
    rules: it.rules.map((rule) =>
      rule.check.kind === 'driver' ? { ...rule, check: { ...rule.check, nvidia: rule.check.nvidia ?? driver } } : rule,
    ),
  }));
}
