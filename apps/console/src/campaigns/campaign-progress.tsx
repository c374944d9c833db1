import { Progress, Stack, Text } from '@mantine/core';
import type { CampaignSummary } from '../api/replies.ts';
import { imagesOf } from './campaign-looks.ts';

const parts = [
  { name: 'Succeeded', said: 'built', color: 'var(--kiln-good)' },
  { name: 'Failed', said: 'failed', color: 'var(--kiln-bad)' },
  { name: 'Skipped', said: 'left out', color: 'var(--kiln-quiet)' },
  { name: 'Building', said: 'building', color: 'var(--kiln-busy)' },
  { name: 'Waiting', said: 'to go', color: undefined },
] as const;

/** What has become of a campaign's images, as a bar and in words. */
export function CampaignProgress({ campaign }: { campaign: CampaignSummary }) {
  const whole = imagesOf(campaign);
  const { Counts } = campaign;
  if (whole === 0)
    return (
      <Text size="sm" c="dimmed">
        no image
      </Text>
    );
  return (
    <Stack gap={4} miw={200}>
      {/* The words below say the same. */}
      <Progress.Root size="md" aria-hidden>
        {parts.map(
          ({ name, color }) =>
            color !== undefined &&
            Counts[name] > 0 && <Progress.Section key={name} value={(100 * Counts[name]) / whole} color={color} />,
        )}
      </Progress.Root>
      <Text size="sm" style={{ fontVariantNumeric: 'tabular-nums' }}>
        {parts
          .filter(({ name }) => Counts[name] > 0)
          .map(({ name, said }) => `${Counts[name]} ${said}`)
          .join(', ')}
      </Text>
    </Stack>
  );
}
