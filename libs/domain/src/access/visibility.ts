export const visibilities = ['PRIVATE', 'PUBLIC'] as const;
export type Visibility = (typeof visibilities)[number];
