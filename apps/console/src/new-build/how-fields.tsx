import { Autocomplete, Checkbox, Fieldset, Select, Stack, Textarea, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { answer, api } from '../api/api-client.ts';
import type { PlatformOffer } from '../api/replies.ts';
import { bytes } from '../components/format.ts';
import { type Draft, readArguments } from './draft.ts';

const cores = (millis: number): string => `${millis / 1000} ${millis === 1000 ? 'processor' : 'processors'}`;

const labelOf = ({ Name, CpuMillis, MemoryBytes }: PlatformOffer['Classes'][number]) =>
  `${Name} (${cores(CpuMillis)}, ${bytes(MemoryBytes)})`;

/** What the build gets, and how its Dockerfile is read. */
export function HowFields({ draft, set }: { draft: Draft; set: (change: Partial<Draft>) => void }) {
  const { data: offer } = useQuery({
    queryKey: ['platform'],
    queryFn: ({ signal }) => answer(api.GET('/api/v1/platform', { signal })),
    staleTime: 60_000,
  });
  const { Classes: classes = [], Networks: networks = [], Pools: pools = [], AnyClass: isOpen = true } = offer ?? {};
  const groupsOf = (name: string | null) => networks.find((it) => it.Name === name)?.Groups ?? [];
  return (
    <Fieldset legend="How" mt="md">
      <Stack gap="sm">
        {isOpen ? (
          <Autocomplete
            label="Resource class"
            placeholder="the default"
            description="Further names of the cloud’s are taken, too"
            data={classes.map((it) => it.Name)}
            renderOption={({ option }) => {
              const found = classes.find((it) => it.Name === option.value);
              return found ? labelOf(found) : option.value;
            }}
            value={draft.spec}
            onChange={(spec) => set({ spec })}
          />
        ) : (
          <Select
            label="Resource class"
            placeholder="the default"
            clearable
            searchable
            data={classes.map((it) => ({ value: it.Name, label: labelOf(it) }))}
            value={draft.spec === '' ? null : draft.spec}
            onChange={(spec) => set({ spec: spec ?? '' })}
          />
        )}
        {networks.length > 0 && (
          <Select
            label="Network"
            placeholder="the default"
            clearable
            data={networks.map((it) => it.Name)}
            value={draft.network === '' ? null : draft.network}
            onChange={(network) => set({ network: network ?? '', group: groupsOf(network)[0] ?? '' })}
          />
        )}
        {groupsOf(draft.network).length > 1 && (
          <Select
            label="Group of the network"
            allowDeselect={false}
            data={groupsOf(draft.network)}
            value={draft.group}
            onChange={(group) => set({ group: group ?? '' })}
          />
        )}
        {pools.length > 0 && (
          <Select
            label="Pool of builders"
            placeholder="the common one"
            clearable
            data={pools}
            value={draft.pool === '' ? null : draft.pool}
            onChange={(pool) => set({ pool: pool ?? '' })}
          />
        )}
        <Select
          label="Lane"
          allowDeselect={false}
          data={['interactive', 'normal', 'bulk']}
          value={draft.lane}
          onChange={(lane) => set({ lane: lane ?? 'normal' })}
        />
        <Textarea
          label="Build arguments"
          placeholder={'NAME=value\na line for each'}
          autosize
          minRows={1}
          maxRows={6}
          value={draft.buildArgs}
          error={readArguments(draft.buildArgs) ? undefined : 'each line is NAME=value'}
          onChange={(event) => set({ buildArgs: event.currentTarget.value })}
        />
        <TextInput
          label="Stage to build"
          placeholder="the last one"
          value={draft.target}
          onChange={(event) => set({ target: event.currentTarget.value })}
        />
        <Checkbox
          label="Run every step, also those in the cache"
          checked={draft.noCache}
          onChange={(event) => set({ noCache: event.currentTarget.checked })}
        />
      </Stack>
    </Fieldset>
  );
}
