import { Code, Group, Stack, Text, Title } from '@mantine/core';
import { IconAlertTriangle, IconCheck, IconMinus, IconQuestionMark, IconX } from '@tabler/icons-react';
import type { ProfileResult } from '../api/replies.ts';
import { Tone } from '../components/state-badge.tsx';

type Check = ProfileResult['Checks'][number];

function Mark({ check: { Result, Severity } }: { check: Check }) {
  const size = 16;
  if (Result === 'pass') return <IconCheck size={size} color="var(--mantine-color-green-7)" aria-label="passes" />;
  if (Result === 'not-applicable') return <IconMinus size={size} color="gray" aria-label="does not apply" />;
  if (Result === 'unknown') return <IconQuestionMark size={size} color="orange" aria-label="cannot be told" />;
  return Severity === 'error' ? (
    <IconX size={size} color="var(--mantine-color-red-7)" aria-label="fails" />
  ) : (
    <IconAlertTriangle size={size} color="orange" aria-label="warning" />
  );
}

const verdicts = {
  pass: ['good', 'passes'],
  warn: ['warn', 'passes, with warnings'],
  fail: ['bad', 'fails'],
  unknown: ['quiet', 'cannot be told'],
} as const;

/** How an image does by one profile: every rule, what was found, and the lines that mend it. */
export function ProfileChecks({ result: { Title: title, Verdict, Checks, Notes } }: { result: ProfileResult }) {
  const [tone, label] = verdicts[Verdict];
  return (
    <Stack gap={6} aria-label={title} component="section">
      <Group gap="xs">
        <Title order={3} size="h6">
          {title}
        </Title>
        <Tone tone={tone}>{label}</Tone>
      </Group>
      {Checks.map((it) => (
        <Group key={it.Rule} gap="xs" wrap="nowrap" align="flex-start" title={`${it.Rule}, ${it.Source}`}>
          <Mark check={it} />
          <Stack gap={2} style={{ minWidth: 0, flex: 1 }}>
            <Text size="sm" c={it.Result === 'not-applicable' ? 'dimmed' : ''}>
              {it.Title}
            </Text>
            {it.Result !== 'pass' && (
              <Text size="xs" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
                {it.Found}
              </Text>
            )}
            {it.Fix && it.Fix.length > 0 && <Code block>{it.Fix.join('\n')}</Code>}
          </Stack>
        </Group>
      ))}
      {Notes.map((it) => (
        <Text key={it} size="xs" c="dimmed">
          {it}
        </Text>
      ))}
    </Stack>
  );
}
