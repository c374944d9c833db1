/**
 * A page of a list. The vendor's examples disagree on `current` and `size`: here `current` counts from 1 and `size` is
 * what came.
 */
export const pageOf = <T>(data: T[], total: number, { limit, offset }: { limit: number; offset: number }) => ({
  current: Math.floor(offset / limit) + 1,
  data,
  pages: Math.ceil(total / limit),
  size: data.length,
  total,
});
