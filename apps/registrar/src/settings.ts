import type { Clocks } from '@kiln/persistence';
import { z } from 'zod';

const seconds = (fallback: number) => z.coerce.number().int().min(1).default(fallback);

/** The clocks that end a build; the sweeper enforces them by PostgreSQL's time. */
export const clockSettings = {
  /** How long a build may wait for its first attempt. */
  KILN_QUEUE_CLOCK_S: seconds(3600),
  /** How long a build may take in all from its first attempt on. */
  KILN_RUN_CLOCK_S: seconds(3600),
  /** How long a running step may print nothing. */
  KILN_OUTPUT_CLOCK_S: seconds(1800),
  KILN_PREPARE_CLOCK_S: seconds(1200),
  KILN_BUILD_CLOCK_S: seconds(3000),
  KILN_PUSH_CLOCK_S: seconds(900),
  /** Reading back and checking what was pushed, and setting its tag. */
  KILN_REGISTER_CLOCK_S: seconds(900),
  /** How long a registry may not answer before an image that is to be registered is given up. */
  KILN_REGISTRATION_CLOCK_S: seconds(900),
  /** How long a registry may refuse a tag that is decided to be set. */
  KILN_TAG_CLOCK_S: seconds(86_400),
};

export const clocksOf = (config: { [K in keyof typeof clockSettings]: number }): Clocks => ({
  queueSeconds: config.KILN_QUEUE_CLOCK_S,
  totalSeconds: config.KILN_RUN_CLOCK_S,
  outputSeconds: config.KILN_OUTPUT_CLOCK_S,
  tagSeconds: config.KILN_TAG_CLOCK_S,
  phaseSeconds: {
    prepare: config.KILN_PREPARE_CLOCK_S,
    build: config.KILN_BUILD_CLOCK_S,
    push: config.KILN_PUSH_CLOCK_S,
    verify: config.KILN_REGISTER_CLOCK_S,
    register: config.KILN_REGISTER_CLOCK_S,
  },
});
