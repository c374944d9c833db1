export const imageStatuses = ['INIT', 'CREATING', 'ACTIVE', 'CREATE_FAILED', 'ERROR', 'DELETED'] as const;
export type ImageStatus = (typeof imageStatuses)[number];
/** Statuses of entries that no longer hold their name and reference. */
export const goneStatuses = ['DELETED', 'CREATE_FAILED'] as const satisfies ImageStatus[];
