import { sql } from 'drizzle-orm';
import { timestamp } from 'drizzle-orm/pg-core';

/** A point in time, to the millisecond, as JavaScript has it. */
export const moment = (name: string) => timestamp(name, { withTimezone: true, precision: 3 });

/** The present as a moment that is over: to be kept, it is rounded, and what is rounded up would not be due yet. */
export const atOnce = sql`date_trunc('milliseconds', now())`;
