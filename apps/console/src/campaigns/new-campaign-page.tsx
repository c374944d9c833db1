import { Checkbox, Fieldset, NumberInput, Select, SimpleGrid, Stack, TagsInput, Text, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useLocation, useSearchParams } from 'wouter';
import { answer, api } from '../api/api-client.ts';
import { errorAt } from '../components/field-error.ts';
import { Page, useTitle } from '../components/page.tsx';
import { useSession } from '../session/session.ts';
import { SettingsForm, useMaking } from '../settings/settings-form.tsx';
import { bodyOf, type Draft, draftFrom, fields } from './draft.ts';
import { ImageChoice } from './image-choice.tsx';

interface PartProps {
  draft: Draft;
  set: (change: Partial<Draft>) => void;
  error: Error | null;
}

/** Says which images are meant; what comes of it is the list of them, and nothing is built yet. */
export default function NewCampaignPage() {
  useTitle('New campaign');
  const { Workspaces } = useSession();
  const [search] = useSearchParams();
  const [, go] = useLocation();
  const [draft, setDraft] = useState(() => draftFrom(search, Workspaces[0]?.WorkspaceId ?? ''));
  const making = useMaking(['campaigns'], async () => {
    const { CampaignId } = await answer(api.POST('/api/v1/campaigns', { body: bodyOf(draft) }));
    go(`/builds/campaigns/${CampaignId}`);
  });
  const props = {
    draft,
    set: (change: Partial<Draft>) => setDraft((old) => ({ ...old, ...change })),
    error: making.error,
  };
  const isAtField = fields.some((it) => errorAt(making.error, it) !== undefined);
  return (
    <Page title="New campaign">
      <SettingsForm
        title="What to build anew, and how fast"
        button="List the images"
        making={making}
        isAtField={isAtField}
      >
        <Text size="sm">
          The next page lists exactly what would be built. Nothing is built before you start it there.
        </Text>
        <SimpleGrid cols={{ base: 1, sm: 2 }}>
          <TextInput
            label="Title"
            placeholder="Debian 12.9"
            value={draft.title}
            onChange={(event) => props.set({ title: event.currentTarget.value })}
            error={errorAt(making.error, 'Title')}
          />
          <Select
            label="Workspace"
            allowDeselect={false}
            data={Workspaces.map((it) => ({ value: it.WorkspaceId, label: it.Name }))}
            value={draft.workspace}
            onChange={(id) => id !== null && props.set({ workspace: id, madeFrom: [], images: [] })}
            error={errorAt(making.error, 'WorkspaceId')}
          />
        </SimpleGrid>
        <Which {...props} />
        <Pace {...props} />
      </SettingsForm>
    </Page>
  );
}

const Which = ({ draft, set, error }: PartProps) => (
  <Fieldset legend="Which images">
    <Stack gap="sm">
      <Text size="sm" c="dimmed">
        Images that a build has made, of each tag the last. Where you fill in several, all of them have to be true.
      </Text>
      <Checkbox
        label="Those of which a base has a newer image"
        checked={draft.isStale}
        onChange={(event) => set({ isStale: event.currentTarget.checked })}
        error={errorAt(error, 'Stale')}
      />
      <ImageChoice
        label="Made from"
        description="Those that stand on this image, directly or by others in between"
        workspace={draft.workspace}
        value={draft.madeFrom}
        onChange={(ids) => set({ madeFrom: ids })}
        most={1}
        error={errorAt(error, 'MadeFrom')}
      />
      <TagsInput
        label="Of repositories"
        description="Without the host; * stands for a part of a name, ** for any"
        placeholder={draft.repositories.length === 0 ? 'ml/**' : ''}
        value={draft.repositories}
        onChange={(all) => set({ repositories: all })}
        acceptValueOnBlur
        error={errorAt(error, 'Repositories')}
      />
      <ImageChoice
        label="These images"
        description="One by one"
        workspace={draft.workspace}
        value={draft.images}
        onChange={(ids) => set({ images: ids })}
        most={5000}
        error={errorAt(error, 'ImageIds')}
      />
    </Stack>
  </Fieldset>
);

const Pace = ({ draft, set, error }: PartProps) => (
  <Fieldset legend="How">
    <SimpleGrid cols={{ base: 1, sm: 3 }}>
      <NumberInput
        label="Builds an hour"
        description="At most; they are in the bulk lane"
        min={1}
        max={100_000}
        value={draft.ratePerHour}
        onChange={(value) => set({ ratePerHour: Number(value) })}
        error={errorAt(error, 'RatePerHour')}
      />
      <NumberInput
        label="First, in percent"
        description="All of these have to succeed, or it stops"
        min={0}
        max={100}
        value={draft.canaryPercent}
        onChange={(value) => set({ canaryPercent: Number(value) })}
        error={errorAt(error, 'CanaryPercent')}
      />
      <NumberInput
        label="Stop when more fail, in percent"
        description="Of the builds that have ended"
        min={0}
        max={100}
        value={draft.stopPercent}
        onChange={(value) => set({ stopPercent: Number(value) })}
        error={errorAt(error, 'StopPercent')}
      />
    </SimpleGrid>
  </Fieldset>
);
