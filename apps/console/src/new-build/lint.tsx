import { List, Text } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { answer, api } from '../api/api-client.ts';
import type { Lint } from '../api/replies.ts';

/** What the api says of a Dockerfile, a moment after it was last changed. */
export function useLint(dockerfile: string, hasContext: boolean) {
  const [settled] = useDebouncedValue(dockerfile, 300);
  return useQuery({
    queryKey: ['lint', settled, hasContext],
    queryFn: ({ signal }) =>
      answer(api.POST('/api/v1/dockerfile/lint', { body: { Dockerfile: settled, HasContext: hasContext }, signal })),
    enabled: settled.trim() !== '',
    placeholderData: keepPreviousData,
    staleTime: Infinity,
  });
}

export function Findings({ lint }: { lint: Lint | undefined }) {
  const findings = lint?.Findings ?? [];
  return (
    <div role="status" style={{ minHeight: 28, marginTop: 8 }}>
      {lint && findings.length === 0 && (
        <Text size="sm" c="dimmed">
          {lint.Steps} steps{lint.Images.length > 0 ? ` on ${lint.Images.join(', ')}` : ''}; nothing to complain about.
        </Text>
      )}
      {findings.length > 0 && (
        <List size="sm" spacing={2}>
          {findings.map((it, n) => (
            <List.Item key={n}>
              <b>{it.Severity === 'error' ? 'Error' : 'Warning'}</b> in line {it.Line}: {it.Message}
              {it.Rule !== undefined && <Text span size="sm" c="dimmed">{` (${it.Rule})`}</Text>}
            </List.Item>
          ))}
        </List>
      )}
    </div>
  );
}
