import { Button, Group, Select, Stack, Text } from '@mantine/core';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import { answer, api } from '../api/api-client.ts';
import { useRefetchInterval } from '../api/live-events.ts';
import type { Drift, DriftedImage } from '../api/replies.ts';
import { newCampaignPath } from '../campaigns/draft.ts';
import { useAddress } from '../components/address.ts';
import { Answered } from '../components/answered.tsx';
import { DataTable } from '../components/data-table.tsx';
import { counted } from '../components/format.ts';
import { Empty } from '../components/page-state.tsx';
import { Tone } from '../components/state-badge.tsx';
import { WorkspaceSelect } from '../components/workspace-select.tsx';
import { isAtLeast, useSession } from '../session/session.ts';
import { ImageLink } from './image-link.tsx';
import { ImagesFrame } from './images-frame.tsx';

const shownMax = 200;

const kinds = {
  moved: {
    label: 'Tag moved',
    tone: 'warn',
    says: 'Somebody pushed another image to its tag. A new build under that tag takes it back.',
  },
  untagged: {
    label: 'Tag gone',
    tone: 'warn',
    says: 'The registry has the image, but not its tag. A new build sets the tag again.',
  },
  gone: {
    label: 'Image gone',
    tone: 'bad',
    says: 'Nobody can pull it any more. A new build brings it back.',
  },
  stale: {
    label: 'Stale',
    tone: 'quiet',
    says: 'A base has a newer image. A new build takes that.',
  },
} as const;
type Kind = keyof typeof kinds;
const choices = [
  { value: 'all', label: 'All that differs' },
  ...Object.entries(kinds).map(([value, { label }]) => ({ value, label })),
];

/** Images that differ from what their registries hold, and those of which a base has a newer image. */
export default function DriftPage() {
  const session = useSession();
  const { field, set } = useAddress();
  const kind = field('kind') in kinds ? (field('kind') as Kind) : undefined;
  const workspace = field('workspace');
  const query = { WorkspaceId: workspace, Kind: kind, Limit: shownMax };
  const drift = useQuery({
    queryKey: ['drift', query],
    queryFn: ({ signal }) => answer(api.GET('/api/v1/drift', { params: { query }, signal })),
    refetchInterval: useRefetchInterval(10_000),
    placeholderData: keepPreviousData,
  });
  const mayBuild = isAtLeast(session, 'operator') && drift.data?.Images.some((it) => it.Stale);
  return (
    <ImagesFrame path="/images/drift">
      <Group gap="sm" justify="space-between">
        <Group gap="sm">
          <Select
            aria-label="Kind"
            data={choices}
            value={kind ?? 'all'}
            onChange={(value) => set({ kind: value ?? '' })}
            allowDeselect={false}
            w={180}
          />
          <WorkspaceSelect value={workspace} onChange={(id) => set({ workspace: id })} hasAll />
        </Group>
        {mayBuild && (
          <Button component={Link} href={newCampaignPath({ workspace, stale: true })} variant="default">
            Build the stale ones anew
          </Button>
        )}
      </Group>
      <Answered query={drift} rows={6}>
        {(data) => (data.Images.length === 0 ? <Nothing kind={kind} /> : <DriftTable drift={data} />)}
      </Answered>
    </ImagesFrame>
  );
}

const Nothing = ({ kind }: { kind: Kind | undefined }) =>
  kind === undefined ? (
    <Empty title="Nothing differs">
      Kiln asks the registries again and again whether they hold what the catalogue says. An image comes here when its
      tag was moved or removed, when it is gone itself, or when one of its bases has a newer image.
    </Empty>
  ) : (
    <Empty title="No image fits">
      No image has drifted in this way: choose “{choices[0]?.label}” to see the others.
    </Empty>
  );

function DriftTable({ drift: { TotalCount, Images } }: { drift: Drift }) {
  const isOperator = isAtLeast(useSession(), 'operator');
  return (
    <Stack gap="xs">
      <Text size="sm" c="dimmed" role="status">
        {counted(TotalCount, 'image')}
        {TotalCount > Images.length && `; the newest ${Images.length} are shown`}
      </Text>
      <DataTable
        label="Images that differ"
        minWidth={860}
        rows={Images}
        keyOf={(it) => it.ImageId}
        columns={[
          { title: 'Image', cell: (it) => <ImageLink image={it} /> },
          {
            title: 'How',
            cell: (it) => (
              <Group gap={6}>
                {kindsOf(it).map((kind) => (
                  <Tone key={kind} tone={kinds[kind].tone}>
                    {kinds[kind].label}
                  </Tone>
                ))}
              </Group>
            ),
          },
          { title: 'The catalogue has', cell: (it) => <Digest digest={it.Digest} /> },
          { title: 'Its tag names', cell: (it) => <TagNow image={it} /> },
          {
            title: 'What to do',
            cell: (it) => (
              <Stack gap={4} align="start">
                {kindsOf(it).map((kind) => (
                  <Text key={kind} size="sm">
                    {kinds[kind].says}
                  </Text>
                ))}
                {isOperator && it.Drift?.Kind !== 'moved' && <BuildAnew image={it} />}
              </Stack>
            ),
          },
        ]}
      />
    </Stack>
  );
}

const kindsOf = ({ Drift: drift, Stale }: DriftedImage): Kind[] => [
  ...(drift ? [drift.Kind] : []),
  ...(Stale ? (['stale'] as const) : []),
];

/** A campaign leaves out those of which somebody else has the tag. */
const BuildAnew = ({ image: { ImageId, Name, WorkspaceId } }: { image: DriftedImage }) => (
  <Button
    component={Link}
    href={newCampaignPath({ workspace: WorkspaceId, images: [ImageId] })}
    size="xs"
    variant="default"
    aria-label={`Build anew: ${Name}`}
  >
    Build anew
  </Button>
);

/** Of one that is only stale, the tag is as it should be. */
function TagNow({ image: { Drift: drift } }: { image: DriftedImage }) {
  if (!drift) return <Text size="sm">the same</Text>;
  return drift.Digest === undefined ? <Text size="sm">nothing</Text> : <Digest digest={drift.Digest} />;
}

const Digest = ({ digest }: { digest: string }) => (
  <Text size="sm" ff="monospace" title={digest} style={{ whiteSpace: 'nowrap' }}>
    {digest.slice(0, 19)}
  </Text>
);
