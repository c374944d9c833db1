import { Button, Fieldset, Group, NumberInput, SimpleGrid, Stack, TagsInput } from '@mantine/core';
import type { RetentionRule } from '../api/replies.ts';
import { errorAt } from '../components/field-error.ts';
import { labelText } from './rule.ts';

/** One rule: for which repositories it is, and what keeps an image of them. */
export function RuleFields({
  rule,
  number,
  error,
  set,
  onUp,
  onRemove,
}: {
  rule: RetentionRule;
  /** From 1. */
  number: number;
  error: Error | null;
  set: (change: Partial<RetentionRule>) => void;
  /** Not there for the first one. */
  onUp: (() => void) | undefined;
  onRemove: () => void;
}) {
  const errorOf = (name: keyof RetentionRule) => errorAt(error, `Rules.${number - 1}.${name}`);
  return (
    <Fieldset legend={`Rule ${number}`}>
      <Stack gap="sm">
        <TagsInput
          label="For repositories"
          description="Without the host; * stands for a part of a name, ** for any"
          placeholder={rule.Repositories.length === 0 ? 'ml/**' : ''}
          value={rule.Repositories}
          onChange={(all) => set({ Repositories: all })}
          acceptValueOnBlur
          error={errorOf('Repositories')}
        />
        <SimpleGrid cols={{ base: 1, sm: 3 }}>
          <NumberInput
            label="Keep the newest"
            description="So many of each repository"
            min={1}
            max={10_000}
            value={rule.KeepLast}
            onChange={(value) => set({ KeepLast: Number(value) })}
            error={errorOf('KeepLast')}
          />
          <NumberInput
            label="Keep for days"
            description="From when it was made"
            min={1}
            max={3650}
            value={rule.KeepDays}
            onChange={(value) => set({ KeepDays: Number(value) })}
            error={errorOf('KeepDays')}
          />
          <NumberInput
            label="Keep for days after use"
            description="Builds that start from it use it"
            min={1}
            max={3650}
            value={rule.KeepUsedDays}
            onChange={(value) => set({ KeepUsedDays: Number(value) })}
            error={errorOf('KeepUsedDays')}
          />
          <TagsInput
            label="Keep tags"
            placeholder={rule.KeepTags.length === 0 ? 'v*' : ''}
            value={rule.KeepTags}
            onChange={(all) => set({ KeepTags: all })}
            acceptValueOnBlur
            error={errorOf('KeepTags')}
          />
          <TagsInput
            label="Keep labels"
            placeholder={rule.KeepLabels.length === 0 ? 'key=value' : ''}
            value={rule.KeepLabels.map(labelText)}
            onChange={(all) => set({ KeepLabels: all.flatMap(readLabel) })}
            acceptValueOnBlur
            error={errorOf('KeepLabels')}
          />
        </SimpleGrid>
        <Group gap="xs" role="group" aria-label={`What to do with rule ${number}`}>
          {onUp && (
            <Button size="xs" variant="default" onClick={onUp}>
              Move up
            </Button>
          )}
          <Button size="xs" variant="default" c="var(--kiln-bad)" onClick={onRemove}>
            Remove
          </Button>
        </Group>
      </Stack>
    </Fieldset>
  );
}

/** Half a pair is no label. */
function readLabel(text: string): RetentionRule['KeepLabels'] {
  const [, key, value = ''] = /^([^=]+)=(.*)$/.exec(text) ?? [];
  return key === undefined ? [] : [{ Key: key, Value: value }];
}
