import { Checkbox, Fieldset, Select, Stack, TextInput } from '@mantine/core';
import { useSession } from '../session/session.ts';
import type { Draft } from './draft.ts';

/** What the image is called, and where it goes. */
export function ImageFields({ draft, set }: { draft: Draft; set: (change: Partial<Draft>) => void }) {
  const session = useSession();
  const host = session.Registries.find((it) => it.InstanceId === draft.registry)?.Host ?? '';
  return (
    <Fieldset legend="Image">
      <Stack gap="sm">
        <TextInput
          label="Name"
          description="Unique among the workspace’s images"
          required
          value={draft.name}
          onChange={(event) => set({ name: event.currentTarget.value })}
        />
        <Select
          label="Registry"
          required
          allowDeselect={false}
          data={session.Registries.map((it) => ({
            value: it.InstanceId,
            label: `${it.InstanceId} (${it.Host})`,
          }))}
          value={draft.registry}
          onChange={(registry) => set({ registry: registry ?? '' })}
        />
        <TextInput
          label="Repository and tag"
          description={`${host}/…`}
          placeholder="team/app:v1"
          required
          value={draft.path}
          onChange={(event) => set({ path: event.currentTarget.value })}
        />
        <Select
          label="Workspace"
          required
          allowDeselect={false}
          data={session.Workspaces.map((it) => ({ value: it.WorkspaceId, label: it.Name }))}
          value={draft.workspace}
          onChange={(workspace) => set({ workspace: workspace ?? '' })}
        />
        <Checkbox
          label="Public in the workspace"
          checked={draft.isPublic}
          onChange={(event) => set({ isPublic: event.currentTarget.checked })}
        />
        <Checkbox
          label="Move the tag when it exists"
          checked={draft.overwrite}
          onChange={(event) => set({ overwrite: event.currentTarget.checked })}
        />
      </Stack>
    </Fieldset>
  );
}
