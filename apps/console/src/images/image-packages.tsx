import { Stack, Text, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { answer, api } from '../api/api-client.ts';
import { Answered } from '../components/answered.tsx';
import { DataTable } from '../components/data-table.tsx';

const shownMax = 300;

/** The packages of an image, with the instruction that brought each. */
export function ImagePackages({ id }: { id: string }) {
  const [text, setText] = useState('');
  const found = useQuery({
    queryKey: ['packages', id],
    queryFn: ({ signal }) =>
      answer(
        api.GET('/api/v1/images/{ImageId}/packages', {
          params: { path: { ImageId: id }, query: { Limit: '5000' } },
          signal,
        }),
      ),
  });
  return (
    <Answered query={found} rows={6} height={32}>
      {({ Packages }) => {
        const fitting = Packages.filter((it) => it.Name.toLowerCase().includes(text.trim().toLowerCase()));
        return (
          <Stack gap="xs">
            <TextInput
              label="Package"
              placeholder="part of its name"
              value={text}
              onChange={(event) => setText(event.currentTarget.value)}
              maw={320}
            />
            <Text size="sm">
              {fitting.length.toLocaleString('en')} of {Packages.length.toLocaleString('en')} packages
              {fitting.length > shownMax && `; the first ${shownMax} are shown`}
            </Text>
            <DataTable
              label="Packages"
              minWidth={560}
              keyOf={(it) => `${it.Type} ${it.Name} ${it.Version}`}
              rows={fitting.slice(0, shownMax)}
              columns={[
                { title: 'Package', cell: (it) => it.Name },
                { title: 'Version', cell: (it) => it.Version },
                { title: 'Kind', cell: (it) => it.Type },
                {
                  title: 'Came with',
                  cell: (it) => (
                    <Text size="sm" ff="monospace" lineClamp={1} title={it.Instruction}>
                      {it.Instruction === '' ? `layer ${it.Layer + 1}` : it.Instruction}
                    </Text>
                  ),
                },
              ]}
            />
          </Stack>
        );
      }}
    </Answered>
  );
}
