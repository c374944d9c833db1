import { Alert, Card, Group, MultiSelect, Stack, Tabs, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { answer, api } from '../api/api-client.ts';
import type { ImageFacts, Inspection } from '../api/replies.ts';
import { Answered } from '../components/answered.tsx';
import { DataTable } from '../components/data-table.tsx';
import { bytes } from '../components/format.ts';
import { Fact } from './fact.tsx';
import { ImagePackages } from './image-packages.tsx';
import { ProfileChecks } from './profile-checks.tsx';

const unsettled = (state: Inspection['State'] | undefined): boolean => state === 'waiting' || state === 'reading';

/** What is in an image, and how it does by what platforms ask of images. */
export function ImageContents({ id }: { id: string }) {
  const [chosen, setChosen] = useState<string[]>([]);
  const query = chosen.length > 0 ? { Profiles: chosen.join(',') } : {};
  const found = useQuery({
    queryKey: ['facts', id, query],
    queryFn: ({ signal }) =>
      answer(api.GET('/api/v1/images/{ImageId}/facts', { params: { path: { ImageId: id }, query }, signal })),
    placeholderData: (before) => before,
    refetchInterval: ({ state }) => (unsettled(state.data?.State) ? 2000 : false),
  });
  return (
    <Card withBorder>
      <Title order={2} size="h5" mb="xs">
        What is in it
      </Title>
      <Answered query={found} rows={4} height={32}>
        {(data) => <Shown id={id} inspection={data} chosen={chosen} onChoose={setChosen} />}
      </Answered>
    </Card>
  );
}

function Shown({
  id,
  inspection,
  chosen,
  onChoose,
}: {
  id: string;
  inspection: Inspection;
  chosen: string[];
  onChoose: (names: string[]) => void;
}) {
  const { State, Message, Facts, Denied = [], Profiles } = inspection;
  const known = useQuery({
    queryKey: ['profiles'],
    queryFn: ({ signal }) => answer(api.GET('/api/v1/profiles', { signal })),
  });
  if (!Facts)
    return (
      <Text size="sm" c="dimmed">
        {State === 'failed'
          ? `It could not be read: ${Message ?? ''}`
          : (Message ?? 'A registrar reads it in a moment.')}
      </Text>
    );
  return (
    <Stack gap="sm">
      <Overview facts={Facts} />
      {Facts.Secrets.length > 0 && (
        <Alert color="orange" title="Files that look like keys" variant="light">
          {Facts.Secrets.map((it) => `${it.Path} (${it.Kind})`).join(', ')}
        </Alert>
      )}
      {Denied.length > 0 && (
        <Alert color="orange" title="Labels that say something else" variant="light">
          {Denied.map((it) => `${it.Key} says ${it.Claimed}, and it is ${it.Found}`).join('; ')}
        </Alert>
      )}
      <Tabs defaultValue="checks" keepMounted={false}>
        <Tabs.List mb="sm">
          <Tabs.Tab value="checks">Checks</Tabs.Tab>
          <Tabs.Tab value="packages">Packages</Tabs.Tab>
          <Tabs.Tab value="files">Largest files</Tabs.Tab>
          <Tabs.Tab value="users">Users</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="checks">
          <Stack gap="sm">
            <MultiSelect
              label="Hold it against"
              placeholder={chosen.length === 0 ? 'what its labels and services say that it is for' : ''}
              data={(known.data?.Profiles ?? []).map((it) => ({ value: it.Profile, label: it.Title }))}
              value={chosen}
              onChange={onChoose}
              clearable
              maw={640}
            />
            {Profiles.map((it) => (
              <ProfileChecks key={it.Profile} result={it} />
            ))}
            {Profiles.length === 0 && (
              <Text size="sm" c="dimmed">
                Nobody has said what the image is for: choose a profile.
              </Text>
            )}
          </Stack>
        </Tabs.Panel>
        <Tabs.Panel value="packages">
          <ImagePackages id={id} />
        </Tabs.Panel>
        <Tabs.Panel value="files">
          <DataTable
            label="Largest files"
            minWidth={420}
            keyOf={(it) => it.Path}
            rows={Facts.Largest}
            columns={[
              { title: 'Path', cell: (it) => <Mono>{it.Path}</Mono> },
              { title: 'Layer', end: true, cell: (it) => it.Layer + 1 },
              { title: 'Size', end: true, cell: (it) => bytes(it.Size) },
            ]}
          />
        </Tabs.Panel>
        <Tabs.Panel value="users">
          <DataTable
            label="Users"
            minWidth={420}
            keyOf={(it) => it.Name}
            rows={Facts.Users}
            columns={[
              { title: 'Name', cell: (it) => it.Name },
              { title: 'Uid:gid', cell: (it) => `${it.Uid}:${it.Gid}` },
              { title: 'Home', cell: (it) => <Mono>{it.Home}</Mono> },
              { title: 'Shell', cell: (it) => <Mono>{it.Shell}</Mono> },
            ]}
          />
        </Tabs.Panel>
      </Tabs>
    </Stack>
  );
}

const Mono = ({ children }: { children: React.ReactNode }) => (
  <Text span size="sm" ff="monospace" style={{ overflowWrap: 'anywhere' }}>
    {children}
  </Text>
);

const versions = (all: { Version: string }[]): string => [...new Set(all.map((it) => it.Version))].join(', ');

function Overview({ facts }: { facts: ImageFacts }) {
  const { Os, Libc, Pythons, Frameworks, Cuda, Cudnn, Nccl, Cann, User, Layers } = facts;
  const frameworks = Frameworks.map(
    (it) => `${it.Name} ${it.Version}${it.Cuda === undefined ? '' : ` (CUDA ${it.Cuda})`}`,
  );
  const all: [string, string | undefined][] = [
    ['System', Os?.Name],
    ['C library', Libc && `${Libc.Kind} ${Libc.Version ?? ''}`],
    ['Python', versions(Pythons)],
    ['Frameworks', frameworks.join(', ')],
    ['CUDA toolkit', versions(Cuda)],
    ['cuDNN', Cudnn],
    ['NCCL', Nccl],
    ['CANN', Cann],
    ['Runs as', User === '' ? 'root' : User],
    ['Unpacked', bytes(Layers.reduce((sum, it) => sum + it.Unpacked, 0))],
  ];
  return (
    <Group gap="xl" aria-label="Facts">
      {all.map(
        ([name, value]) =>
          value && (
            <Fact key={name} name={name}>
              {value}
            </Fact>
          ),
      )}
    </Group>
  );
}
