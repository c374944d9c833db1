import { Button, Card, Group, MultiSelect, NumberInput, Select, Stack, Switch, Text, Title } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { answer, api } from '../api/api-client.ts';
import type { Policy, TriedPolicy } from '../api/replies.ts';
import { Answered } from '../components/answered.tsx';
import { Failed } from '../components/page-state.tsx';
import { useSession } from '../session/session.ts';
import { RefusedImages } from './refused-images.tsx';
import { SettingsForm, useMaking } from './settings-form.tsx';

const modes = [
  { value: 'off', label: 'Nothing: images are not checked' },
  { value: 'note', label: 'Note it on the image, and tell it by an event' },
  { value: 'warn', label: 'Warn in the status of the image' },
  { value: 'refuse', label: 'Refuse the image before its tag is set' },
];
const attests = [
  { value: 'after', label: 'Once the image is active' },
  { value: 'before', label: 'Before its tag is set' },
  { value: 'off', label: 'Never' },
];
const driftErrors = [
  { value: 'gone', label: 'Call it an error where the image is gone, and note what else differs' },
  { value: 'any', label: 'Call it an error, also where only its tag was moved' },
  { value: 'none', label: 'Note it on the image, and tell it by an event' },
];
type Draft = Pick<Policy, 'Mode' | 'Profiles' | 'WaitSeconds' | 'Attest' | 'CosignTags' | 'ErrorOnDrift'>;

/** What a workspace asks of its images. */
export function PolicySettings() {
  const { Workspaces } = useSession();
  const [chosen, setChosen] = useState(Workspaces[0]?.WorkspaceId ?? '');
  const policy = useQuery({
    queryKey: ['policy', chosen],
    queryFn: ({ signal }) =>
      answer(api.GET('/api/v1/workspaces/{WorkspaceId}/policy', { params: { path: { WorkspaceId: chosen } }, signal })),
    enabled: chosen !== '',
  });
  return (
    <Stack gap="lg">
      {Workspaces.length > 1 && (
        <Select
          label="Workspace"
          data={Workspaces.map((it) => ({ value: it.WorkspaceId, label: it.Name }))}
          value={chosen}
          allowDeselect={false}
          onChange={(id) => id !== null && setChosen(id)}
          maw={420}
        />
      )}
      <Answered query={policy} rows={4}>
        {(data) => <PolicyForm key={chosen} policy={data} />}
      </Answered>
    </Stack>
  );
}

function PolicyForm({ policy }: { policy: Policy }) {
  const { WorkspaceId, ...kept } = policy;
  const [draft, setDraft] = useState<Draft>(kept);
  const set = (change: Partial<Draft>) => {
    setDraft((old) => ({ ...old, ...change }));
    trying.reset();
  };
  const request = { params: { path: { WorkspaceId } }, body: draft };
  const making = useMaking(['policy'], () => answer(api.PUT('/api/v1/workspaces/{WorkspaceId}/policy', request)));
  const trying = useMutation({
    mutationFn: () => answer(api.POST('/api/v1/workspaces/{WorkspaceId}/policy/dryrun', request)),
  });
  const known = useQuery({
    queryKey: ['profiles'],
    queryFn: ({ signal }) => answer(api.GET('/api/v1/profiles', { signal })),
  });
  return (
    <Stack gap="lg">
      <SettingsForm title="Policy for images" button="Keep the policy" making={making}>
        <Group grow align="start">
          <Select
            label="When an image fails a profile"
            data={modes}
            value={draft.Mode}
            allowDeselect={false}
            onChange={(value) => value !== null && set({ Mode: value as Draft['Mode'] })}
          />
          <NumberInput
            label="Seconds to wait for its layers to be read"
            description="Where it is to be refused"
            inputWrapperOrder={['label', 'input', 'description']}
            min={0}
            max={600}
            disabled={draft.Mode !== 'refuse'}
            value={draft.WaitSeconds}
            onChange={(value) => set({ WaitSeconds: Number(value) })}
          />
        </Group>
        <MultiSelect
          label="Profiles for every image"
          description="Without any, an image is held against those that its labels and services say that it is for"
          data={(known.data?.Profiles ?? []).map((it) => ({ value: it.Profile, label: it.Title }))}
          value={draft.Profiles}
          onChange={(names) => set({ Profiles: names })}
          clearable
        />
        <Group grow align="start">
          <Select
            label="Attach provenance, SBOMs and a signature"
            data={attests}
            value={draft.Attest}
            allowDeselect={false}
            onChange={(value) => value !== null && set({ Attest: value as Draft['Attest'] })}
          />
          <Switch
            mt={30}
            label="Also in the form of cosign before version 3"
            disabled={draft.Attest === 'off'}
            checked={draft.CosignTags}
            onChange={(event) => set({ CosignTags: event.currentTarget.checked })}
          />
        </Group>
        <Select
          label="When the registry differs from the catalogue"
          data={driftErrors}
          value={draft.ErrorOnDrift}
          allowDeselect={false}
          onChange={(value) => value !== null && set({ ErrorOnDrift: value as Draft['ErrorOnDrift'] })}
        />
      </SettingsForm>
      <Card withBorder>
        <Stack gap="sm">
          <Title order={2} size="h5">
            Try it out
          </Title>
          <Text size="sm">Holds the images of the workspace against what is chosen above, and changes nothing.</Text>
          <Group>
            <Button variant="default" loading={trying.isPending} onClick={() => trying.mutate()}>
              Try the policy
            </Button>
          </Group>
          {trying.error && <Failed error={trying.error} />}
          {trying.data && <Tried tried={trying.data} />}
        </Stack>
      </Card>
    </Stack>
  );
}

function Tried({ tried }: { tried: TriedPolicy }) {
  const { Passed, Warned, Failed: failed, Unknown, NotAsked, Images } = tried;
  return (
    <Stack gap="sm">
      <Text size="sm" aria-label="Outcome">
        {Passed} pass, {Warned} are warned of, {failed} fail; of {Unknown} it cannot be told, and {NotAsked} are meant
        for no profile.
      </Text>
      {Images.length > 0 && <RefusedImages images={Images} />}
    </Stack>
  );
}
