import { Button, Group, Stack, Text, TextInput } from '@mantine/core';
import { IconSearch } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import type { FormEvent } from 'react';
import { answer, api } from '../api/api-client.ts';
import type { FoundPackages } from '../api/replies.ts';
import { useAddress, useTyped } from '../components/address.ts';
import { DataTable } from '../components/data-table.tsx';
import { errorAt } from '../components/field-error.ts';
import { counted } from '../components/format.ts';
import { Empty, Failed, Loading } from '../components/page-state.tsx';
import { ImageLink } from './image-link.tsx';
import { ImagesFrame } from './images-frame.tsx';

const shownMax = 200;

/** Finds the images that have packages of some versions. */
export default function PackagesPage() {
  const { field, set } = useAddress();
  const wanted = field('query');
  const [text, setText] = useTyped(wanted);
  const query = { Query: wanted, Limit: shownMax };
  const found = useQuery({
    queryKey: ['package-search', query],
    queryFn: ({ signal }) => answer(api.GET('/api/v1/packages', { params: { query }, signal })),
    enabled: wanted !== '',
    placeholderData: keepPreviousData,
  });
  const isWrong = errorAt(found.error, 'Query');
  const search = (event: FormEvent) => {
    event.preventDefault();
    set({ query: text.trim() });
  };
  return (
    <ImagesFrame path="/images/packages">
      <form onSubmit={search} role="search">
        <Group gap="sm" align="start">
          <TextInput
            aria-label="Packages"
            placeholder="torch<2.6, python=3.11"
            leftSection={<IconSearch size={16} aria-hidden />}
            value={text}
            onChange={(event) => setText(event.currentTarget.value)}
            error={isWrong}
            style={{ flex: '1 1 260px' }}
          />
          <Button type="submit" variant="default">
            Find images
          </Button>
        </Group>
      </form>
      {wanted === '' ? (
        <Empty title="Which images have a package?">
          Write its name, with a version or without: <code>openssl</code>, <code>torch&lt;2.6</code>. Of several with
          commas between them, an image has to have all.
        </Empty>
      ) : found.isPending ? (
        <Loading rows={6} />
      ) : found.error ? (
        isWrong === undefined && <Failed error={found.error} again={() => void found.refetch()} />
      ) : found.data.Images.length === 0 ? (
        <Empty title="No image has them">Images are searched once a registrar has read them.</Empty>
      ) : (
        <FoundTable found={found.data} />
      )}
    </ImagesFrame>
  );
}

const FoundTable = ({ found: { TotalCount, Images } }: { found: FoundPackages }) => (
  <Stack gap="xs">
    <Text size="sm" c="dimmed" role="status">
      {counted(TotalCount, 'image')}
      {TotalCount > Images.length && `; ${Images.length} of them are shown`}
    </Text>
    <DataTable
      label="Images with these packages"
      minWidth={560}
      rows={Images}
      keyOf={(it) => it.ImageId}
      columns={[
        { title: 'Image', cell: (it) => <ImageLink image={it} /> },
        {
          title: 'Packages',
          cell: (it) => it.Packages.map(({ Name, Version }) => `${Name} ${Version}`).join(', '),
        },
      ]}
    />
  </Stack>
);
