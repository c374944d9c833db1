import { Anchor, Card, Group, Select, Stack, Text, Title } from '@mantine/core';
import { useState } from 'react';
import { Link } from 'wouter';
import type { Campaign, CampaignImage } from '../api/replies.ts';
import { DataTable } from '../components/data-table.tsx';
import { Tone } from '../components/state-badge.tsx';
import { ImageLink } from '../images/image-link.tsx';
import { outcomeLooks } from './campaign-looks.ts';

type Outcome = CampaignImage['Outcome'];

/** More are not drawn at once; the filter finds the others. */
const shownMax = 300;

const choices = [
  { value: 'all', label: 'All' },
  ...Object.entries(outcomeLooks).map(([value, { label }]) => ({ value, label })),
];

/** The images of a campaign in the order in which they are built, with what has become of each. */
export function CampaignImages({ campaign: { Images } }: { campaign: Campaign }) {
  const [outcome, setOutcome] = useState<Outcome | 'all'>('all');
  const rows = Images.map((image, n) => ({ ...image, place: n + 1 })).filter(
    (it) => outcome === 'all' || it.Outcome === outcome,
  );
  return (
    <Card withBorder>
      <Stack gap="xs">
        <Group justify="space-between">
          <Title order={2} size="h5">
            Images
          </Title>
          <Select
            aria-label="Outcome"
            size="xs"
            data={choices}
            value={outcome}
            onChange={(value) => setOutcome((value ?? 'all') as Outcome | 'all')}
            allowDeselect={false}
            w={130}
          />
        </Group>
        <DataTable
          label="Images of the campaign"
          minWidth={680}
          rows={rows.slice(0, shownMax)}
          keyOf={(it) => it.place}
          columns={[
            { title: 'Place', cell: (it) => it.place },
            { title: 'Image', cell: (it) => <ImageLink image={it} /> },
            { title: 'Outcome', cell: (it) => <OutcomeOf image={it} /> },
            { title: 'New build', cell: (it) => <NewBuild image={it} /> },
          ]}
        />
        {rows.length === 0 && <Text size="sm">None of them.</Text>}
        {rows.length > shownMax && (
          <Text size="sm" c="dimmed">
            {rows.length} images; the first {shownMax} are shown
          </Text>
        )}
      </Stack>
    </Card>
  );
}

function OutcomeOf({ image: { Outcome: outcome, Message } }: { image: CampaignImage }) {
  const { tone, label } = outcomeLooks[outcome];
  return (
    <>
      <Tone tone={tone}>{label}</Tone>
      {Message !== undefined && (
        <Text size="xs" mt={2} style={{ overflowWrap: 'anywhere' }}>
          {Message}
        </Text>
      )}
    </>
  );
}

const NewBuild = ({ image: { ImageBuildId } }: { image: CampaignImage }) =>
  ImageBuildId === undefined ? (
    '—'
  ) : (
    <Anchor component={Link} href={`/builds/${ImageBuildId}`} size="sm">
      {ImageBuildId}
    </Anchor>
  );
