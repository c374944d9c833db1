import { Button, Group, Pagination, Select, TagsInput, Text, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconSearch } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import { answer, api } from '../api/api-client.ts';
import { useRefetchInterval } from '../api/live-events.ts';
import type { Image } from '../api/replies.ts';
import { useAddress, useTyped } from '../components/address.ts';
import { DataTable } from '../components/data-table.tsx';
import { bytes, counted } from '../components/format.ts';
import { Empty, Failed, Loading } from '../components/page-state.tsx';
import { Tone } from '../components/state-badge.tsx';
import { When } from '../components/when.tsx';
import { WorkspaceSelect } from '../components/workspace-select.tsx';
import { useSession } from '../session/session.ts';
import { ImageFacets, isFacet } from './image-facets.tsx';
import { imageTone } from './image-tone.ts';
import { ImagesFrame } from './images-frame.tsx';

const pageSize = 25;

export default function ImagesPage() {
  const session = useSession();
  const { field, set } = useAddress();
  const [name, setName] = useTyped(field('name'));
  const labels = field('labels').split(',').filter(Boolean);
  const [wanted] = useDebouncedValue(name, 250);
  const workspace = field('workspace') || (session.Workspaces[0]?.WorkspaceId ?? '');
  const visibility = field('visibility') || 'all';
  const page = Math.max(1, Math.floor(Number(field('page')) || 1));
  const filter = {
    WorkspaceId: workspace,
    Query: wanted,
    Accessibility: visibility === 'all' ? undefined : visibility,
  };
  const query = {
    ...filter,
    Verbose: true,
    SortBy: 'GmtCreateTime',
    Order: 'DESC',
    PageNumber: page,
    PageSize: pageSize,
    Labels: labels.length > 0 ? labels.join(',') : undefined,
  };
  const images = useQuery({
    queryKey: ['images', query],
    queryFn: ({ signal }) => answer(api.GET('/api/v1/images', { params: { query }, signal })),
    refetchInterval: useRefetchInterval(10_000),
    placeholderData: keepPreviousData,
  });
  const known = useQuery({
    queryKey: ['labels', workspace],
    queryFn: ({ signal }) =>
      answer(api.GET('/api/v1/image/labels', { params: { query: { WorkspaceId: workspace } }, signal })),
    staleTime: 60_000,
  });
  const pairs = (known.data?.Labels ?? []).map((it) => `${it.Key}=${it.Value}`);
  const chosen = labels.filter(isFacet);
  const others = labels.filter((it) => !isFacet(it));
  const setLabels = (all: string[]) => set({ labels: all.join(',') });
  const filtered = wanted !== '' || query.Labels !== undefined || visibility !== 'all';
  const pages = Math.ceil((images.data?.TotalCount ?? 0) / pageSize);
  return (
    <ImagesFrame path="/images">
      <Group gap="sm" align="end">
        <TextInput
          aria-label="Search by name or description"
          placeholder="Search by name or description"
          leftSection={<IconSearch size={16} aria-hidden />}
          value={name}
          onChange={(event) => {
            setName(event.currentTarget.value);
            set({ name: event.currentTarget.value });
          }}
          style={{ flex: '2 1 220px' }}
        />
        <TagsInput
          aria-label="Labels"
          placeholder={others.length === 0 ? 'Labels: key=value' : ''}
          data={[...new Set(pairs.filter((it) => !isFacet(it)))].sort()}
          value={others}
          // Half a pair is no filter.
          onChange={(all) => setLabels([...chosen, ...all.filter((it) => /^[^=,]+=[^,]*$/.test(it))])}
          maxTags={10}
          limit={100}
          style={{ flex: '1 1 220px' }}
        />
        <Select
          aria-label="Visibility"
          data={[
            { value: 'all', label: 'Public and private' },
            { value: 'PUBLIC', label: 'Public' },
            { value: 'PRIVATE', label: 'Private' },
          ]}
          value={visibility}
          onChange={(value) => set({ visibility: value ?? 'all' })}
          allowDeselect={false}
          w={180}
        />
        <WorkspaceSelect value={workspace} onChange={(id) => set({ workspace: id })} />
        <ImageFacets known={known.data?.Labels ?? []} query={filter} labels={labels} onChange={setLabels} />
      </Group>
      {images.isPending ? (
        <Loading rows={10} />
      ) : !images.data ? (
        <Failed error={images.error} again={() => void images.refetch()} />
      ) : images.data.Images.length === 0 && page > 1 ? (
        <Empty
          title="There is no such page"
          action={
            <Button variant="default" onClick={() => set({})}>
              To the first one
            </Button>
          }
        />
      ) : images.data.Images.length === 0 ? (
        <Empty title={filtered ? 'No image fits' : 'No image yet'}>
          {filtered
            ? 'Nothing in this workspace has such a name and such labels.'
            : 'Images come here when a build has published them, or when they are added from a registry.'}
        </Empty>
      ) : (
        <>
          <Text size="sm" c="dimmed" role="status">
            {counted(images.data.TotalCount, 'image')}
          </Text>
          <ImageTable images={images.data.Images} />
          {pages > 1 && (
            <Pagination
              total={pages}
              value={page}
              onChange={(value) => set({ page: String(value) })}
              getControlProps={(control) => ({ 'aria-label': `${control} page` })}
            />
          )}
        </>
      )}
    </ImagesFrame>
  );
}

export function ImageTable({ images }: { images: Image[] }) {
  return (
    <DataTable
      label="Images"
      minWidth={680}
      rows={images}
      keyOf={(it) => it.ImageId}
      columns={[
        {
          title: 'Name',
          cell: (it) => (
            <Link href={`/images/${it.ImageId}`} style={{ fontWeight: 600, textDecoration: 'none' }}>
              {it.Name}
            </Link>
          ),
        },
        { title: 'State', cell: (it) => <Tone tone={imageTone(it.Status).tone}>{imageTone(it.Status).label}</Tone> },
        {
          title: 'Reference',
          cell: (it) => (
            <Text size="sm" ff="monospace" style={{ overflowWrap: 'anywhere' }}>
              {it.ImageUri}
            </Text>
          ),
        },
        { title: 'Size', end: true, cell: (it) => (it.SizeInBytes > 0 ? bytes(it.SizeInBytes) : '—') },
        { title: 'Created', cell: (it) => <When at={it.GmtCreateTime} /> },
      ]}
    />
  );
}
