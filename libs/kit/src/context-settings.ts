import type { ContextLimits } from '@kiln/domain';
import { z } from 'zod';

const bytes = z.coerce.number().int().min(1);

/** Settings of apps that keep build contexts. */
export const contextSettings = {
  /** Folder for build contexts, which the api and builders see; without it or a bucket, there are none. */
  KILN_CONTEXT_DIR: z.string().optional(),
  /** Bucket for build contexts, `BUCKET` or `BUCKET/PREFIX`, in something that speaks S3. */
  KILN_CONTEXT_BUCKET: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]+(?:\/[\w.-]+)*\/?$/, 'must be BUCKET or BUCKET/PREFIX')
    .optional(),
  /** Where the bucket is, unless it is AWS: `https://HOST#REGION`, or `https://{bucket}.HOST#REGION`. */
  KILN_CONTEXT_ENDPOINT: z
    .string()
    .regex(/^https?:\/\/(?:\{bucket\}\.)?[^\s/#{}]+(?:#[\w-]+)?$/, 'must be https://HOST#REGION')
    .optional(),
  /** Files and folders, and bytes, of one context. */
  KILN_CONTEXT_FILES: z.coerce.number().int().min(1).default(100_000),
  KILN_CONTEXT_BYTES: bytes.default(2 * 2 ** 30),
  /** Bytes of all contexts of one account. */
  KILN_CONTEXT_ACCOUNT_BYTES: bytes.default(20 * 2 ** 30),
  /** How long a context is kept after it came last, while no image needs it. */
  KILN_CONTEXT_HOURS: z.coerce.number().int().min(1).max(87_600).default(168),
  /** Stores of archives that speak S3: `s3=https://HOST#REGION`, `oss=…`, `obs=…`, separated by commas. */
  KILN_OBJECT_STORES: z.string().default(''),
};

export interface ContextRules extends ContextLimits {
  /** How long a context is kept after it came last, in hours. */
  hours: number;
  /** What the files of an account may take of the disk, in bytes. */
  accountBytes: number;
}

export const contextRulesOf = (
  config: Record<`KILN_CONTEXT_${'FILES' | 'BYTES' | 'ACCOUNT_BYTES' | 'HOURS'}`, number>,
): ContextRules => ({
  entries: config.KILN_CONTEXT_FILES,
  bytes: config.KILN_CONTEXT_BYTES,
  accountBytes: config.KILN_CONTEXT_ACCOUNT_BYTES,
  hours: config.KILN_CONTEXT_HOURS,
});
