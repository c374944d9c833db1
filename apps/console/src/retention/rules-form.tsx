import { Button, Group, NumberInput, SimpleGrid, Switch, Text } from '@mantine/core';
import { IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import { answer, api } from '../api/api-client.ts';
import type { Retention, RetentionRule } from '../api/replies.ts';
import { errorAt } from '../components/field-error.ts';
import { SettingsForm, useMaking } from '../settings/settings-form.tsx';
import { newRule } from './rule.ts';
import { RuleFields } from './rule-fields.tsx';

type Draft = Omit<Retention, 'RequestId' | 'WorkspaceId'>;

/** Sets which images of a workspace are kept. */
export function RulesForm({
  retention,
  onChanged,
}: {
  retention: Retention;
  /** Told whether the form differs from what is kept. */
  onChanged: (isChanged: boolean) => void;
}) {
  const { WorkspaceId, Rules, HideAfterDays, DeleteAfterDays, Purge } = retention;
  const [draft, setDraft] = useState<Draft>({ Rules, HideAfterDays, DeleteAfterDays, Purge });
  const set = (change: Partial<Draft>) => {
    setDraft((old) => ({ ...old, ...change }));
    onChanged(true);
  };
  const setRules = (change: (rules: RetentionRule[]) => RetentionRule[]) => set({ Rules: change([...draft.Rules]) });
  const making = useMaking(
    ['retention'],
    () =>
      answer(api.PUT('/api/v1/workspaces/{WorkspaceId}/retention', { params: { path: { WorkspaceId } }, body: draft })),
    () => onChanged(false),
  );
  const isAtField = ['Rules', 'HideAfterDays', 'DeleteAfterDays'].some((it) => errorAt(making.error, it) !== undefined);
  return (
    <SettingsForm title="What is kept" button="Keep the rules" making={making} isAtField={isAtField}>
      <Text size="sm" c="dimmed">
        {draft.Rules.length === 0 ? (
          'Everything is kept: there is no rule. Add one for the repositories whose old images may go.'
        ) : (
          <>
            An image is kept when one of the things that its rule says is true of it. Of several rules, the first one
            that is for a repository decides; an image that no rule is for is kept.
          </>
        )}
      </Text>
      {draft.Rules.map((rule, n) => (
        <RuleFields
          key={n}
          rule={rule}
          number={n + 1}
          error={making.error}
          set={(change) => setRules((all) => all.with(n, { ...rule, ...change }))}
          onUp={n === 0 ? undefined : () => setRules((all) => all.toSpliced(n, 1).toSpliced(n - 1, 0, rule))}
          onRemove={() => setRules((all) => all.toSpliced(n, 1))}
        />
      ))}
      <Group>
        <Button
          variant="default"
          size="xs"
          leftSection={<IconPlus size={14} aria-hidden />}
          onClick={() => setRules((all) => [...all, newRule])}
        >
          Add a rule
        </Button>
      </Group>
      <SimpleGrid cols={{ base: 1, sm: 3 }}>
        <NumberInput
          label="Days until it is hidden"
          description="From when it is deprecated"
          min={0}
          max={365}
          value={draft.HideAfterDays}
          onChange={(value) => set({ HideAfterDays: Number(value) })}
          error={errorAt(making.error, 'HideAfterDays')}
        />
        <NumberInput
          label="Days until it is deleted"
          description="From when it is hidden"
          min={0}
          max={365}
          value={draft.DeleteAfterDays}
          onChange={(value) => set({ DeleteAfterDays: Number(value) })}
          error={errorAt(making.error, 'DeleteAfterDays')}
        />
        <Switch
          mt={{ base: 0, sm: 34 }}
          label="Take it out of its registry, too"
          description="When it is deleted; its bytes are free once the registry cleans up"
          checked={draft.Purge}
          onChange={(event) => set({ Purge: event.currentTarget.checked })}
        />
      </SimpleGrid>
      {making.isSuccess && (
        <Text size="sm" role="status">
          The rules are kept. Make a plan to see what they let go.
        </Text>
      )}
    </SettingsForm>
  );
}
