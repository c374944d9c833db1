import { Badge } from '@mantine/core';
import type { BuildState } from '../api/replies.ts';
import classes from './state-badge.module.css';

type ToneName = 'good' | 'bad' | 'busy' | 'quiet' | 'warn';

const looks: Record<BuildState, { tone: ToneName; label: string }> = {
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
    <Tone tone={tone} state={state}>
      {label}
    </Tone>
  );
}

/** The same for whatever is well, not well, or neither. */
export function Tone({ tone, state, children }: { tone: ToneName; state?: BuildState; children: string }) {
  return (
    <Badge
      variant="unstyled"
      radius="sm"
      className={`${classes['badge'] ?? ''} ${classes[tone] ?? ''}`}
      data-state={state}
    >
      {children}
    </Badge>
  );
}
