import { liveStates } from '@kiln/domain/build-states';
import { Button, Group, Select, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconPlus, IconSearch } from '@tabler/icons-react';
import { Link } from 'wouter';
import { useAddress, useTyped } from '../components/address.ts';
import { Page, useTitle } from '../components/page.tsx';
import { Empty, Failed, Loading } from '../components/page-state.tsx';
import { WorkspaceSelect } from '../components/workspace-select.tsx';
import { isAtLeast, useSession } from '../session/session.ts';
import { BuildRows } from './build-rows.tsx';
import { type BuildFilter, useBuilds } from './use-builds.ts';

const states: Record<string, { label: string; query: string | undefined }> = {
  all: { label: 'All', query: undefined },
  live: { label: 'Under way', query: liveStates.join(',') },
  queued: { label: 'Waiting', query: 'queued' },
  succeeded: { label: 'Succeeded', query: 'succeeded' },
  failed: { label: 'Failed', query: 'failed,timed_out,expired' },
  cancelled: { label: 'Cancelled', query: 'cancelled' },
};

export function BuildsPage() {
  useTitle('Builds');
  const session = useSession();
  const { field, set } = useAddress();
  const [name, setName] = useTyped(field('name'));
  const [wanted] = useDebouncedValue(name, 250);
  const state = field('state') || 'all';
  const workspace = field('workspace');
  const query = states[state]?.query;
  const filter: BuildFilter = {
    ...(wanted === '' ? {} : { Name: wanted }),
    ...(query === undefined ? {} : { State: query }),
    ...(workspace === '' ? {} : { WorkspaceId: workspace }),
  };
  const listed = useBuilds(filter);
  const newBuild = isAtLeast(session, 'developer') && (
    <Button component={Link} href="/builds/new" leftSection={<IconPlus size={16} aria-hidden />}>
      New build
    </Button>
  );
  return (
    <Page title="Builds" actions={newBuild}>
      <Group gap="sm" align="end">
        <TextInput
          aria-label="Search by image name"
          placeholder="Search by image name"
          leftSection={<IconSearch size={16} aria-hidden />}
          value={name}
          onChange={(event) => {
            setName(event.currentTarget.value);
            set({ name: event.currentTarget.value });
          }}
          style={{ flex: '1 1 220px' }}
        />
        <Select
          aria-label="State"
          data={Object.entries(states).map(([value, { label }]) => ({ value, label }))}
          value={state}
          onChange={(value) => set({ state: value ?? '' })}
          allowDeselect={false}
          w={140}
        />
        <WorkspaceSelect value={workspace} onChange={(value) => set({ workspace: value })} hasAll />
      </Group>
      {listed.isPending ? (
        <Loading rows={12} />
      ) : listed.error ? (
        <Failed error={listed.error} again={listed.again} />
      ) : listed.builds.length === 0 && listed.newer === 0 ? (
        Object.keys(filter).length > 0 ? (
          <Empty title="No build fits">Nothing has this name and state. Clear the search to see all builds.</Empty>
        ) : (
          <Empty title="No build yet" action={newBuild}>
            A build makes an image from a Dockerfile, pushes it to a registry and checks what arrived there.
          </Empty>
        )
      ) : (
        <BuildRows listed={listed} />
      )}
    </Page>
  );
}
