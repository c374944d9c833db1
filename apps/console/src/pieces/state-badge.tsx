import { Badge } from '@mantine/core';
import type { BuildState } from '../api/replies.ts';
import classes from './state-badge.module.css';

const looks: Record<BuildState, { tone: string; label: string }> = {
  queued: { tone: 'quiet', label: 'Waiting' },
  assigned: { tone: 'busy', label: 'Starting' },
  running: { tone: 'busy', label: 'Building' },
  publishing: { tone: 'busy', label: 'Pushing' },
  registering: { tone: 'busy', label: 'Verifying' },
  cancelling: { tone: 'quiet', label: 'Stopping' },
  succeeded: { tone: 'good', label: 'Succeeded' },
  cancelled: { tone: 'quiet', label: 'Cancelled' },
  failed: { tone: 'bad', label: 'Failed' },
  timed_out: { tone: 'bad', label: 'Timed out' },
  expired: { tone: 'bad', label: 'Expired' },
};

export function StateBadge({ state }: { state: BuildState }) {
  const { tone, label } = looks[state];
  return (
    <Badge
      variant="unstyled"
      radius="sm"
      className={`${classes['badge'] ?? ''} ${classes[tone] ?? ''}`}
      data-state={state}
    >
      {label}
    </Badge>
  );
}

/** The same for whatever is well, not well, or neither. */
export function Tone({ tone, children }: { tone: 'good' | 'bad' | 'busy' | 'quiet' | 'warn'; children: string }) {
  return (
    <Badge variant="unstyled" radius="sm" className={`${classes['badge'] ?? ''} ${classes[tone] ?? ''}`}>
      {children}
    </Badge>
  );
}
