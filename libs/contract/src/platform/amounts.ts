import { z } from 'zod';

export const amount = z.string().regex(/^\d+(\.\d+)?(Ki|Mi|Gi|Ti)?$/, 'must be an amount, such as 8Gi');
export const cores = z.string().regex(/^\d+(\.\d+)?$|^\d+m$/, 'must be a number of cores, such as 4 or 500m');
