import type { Retention, RetentionRule } from '../api/replies.ts';

export const newRule: RetentionRule = {
  Repositories: [],
  KeepLast: 10,
  KeepTags: [],
  KeepLabels: [],
  KeepDays: 30,
  KeepUsedDays: 30,
};

export const days = (count: number): string => (count === 1 ? '1 day' : `${count} days`);

export const labelText = ({ Key, Value }: RetentionRule['KeepLabels'][number]): string => `${Key}=${Value}`;

/** What happens to an image once a plan that lists it is run. */
export const stepsOf = ({ HideAfterDays, DeleteAfterDays, Purge }: Retention): string[] => [
  'At once it is deprecated: it works as before, and its status says so.',
  `${
    HideAfterDays === 0 ? 'Soon after' : `After ${days(HideAfterDays)}`
  } it is hidden: only its owner and operators see it.`,
  `${DeleteAfterDays === 0 ? 'Soon after that' : `${days(DeleteAfterDays)} later`} it is deleted${
    Purge ? ', and taken out of its registry.' : '; the registry keeps it.'
  }`,
];
