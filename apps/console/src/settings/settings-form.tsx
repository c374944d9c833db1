import { Button, Card, Group, Stack, Title } from '@mantine/core';
import { type UseMutationResult, useMutation, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { tellError } from '../components/notifications.ts';
import { Failed } from '../components/page-state.tsx';

type Making<T> = UseMutationResult<T, Error, void>;

/** A form that makes one thing; what was wrong with it stands below its fields. */
export function SettingsForm<T>({
  title,
  button,
  making,
  isAtField = false,
  children,
}: {
  title: string;
  button: string;
  making: Making<T>;
  /** Whether a field says already what was wrong. */
  isAtField?: boolean;
  children: ReactNode;
}) {
  return (
    <Card withBorder>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          making.mutate();
        }}
      >
        <Stack gap="sm">
          <Title order={2} size="h5">
            {title}
          </Title>
          {children}
          {making.error && !isAtField && <Failed error={making.error} />}
          <Group>
            <Button type="submit" loading={making.isPending}>
              {button}
            </Button>
          </Group>
        </Stack>
      </form>
    </Card>
  );
}

/** Has what is shown under these keys looked up anew. */
function useRefresh(keys: readonly string[]): () => Promise<void> {
  const client = useQueryClient();
  return async () => {
    for (const key of keys) await client.invalidateQueries({ queryKey: [key] });
  };
}

/** Makes something, and has what is shown of it looked up anew. */
export function useMaking<T>(keys: readonly string[], make: () => Promise<T>, done?: () => void): Making<T> {
  const refresh = useRefresh(keys);
  return useMutation({
    mutationFn: () => make(),
    onSuccess() {
      done?.();
      return refresh();
    },
  });
}

/** Ends something for good, once that is confirmed. */
export function RemoveButton({
  label,
  question,
  keys,
  remove,
}: {
  /** What the button is for, for those who do not see the row. */
  label: string;
  question: string;
  keys: readonly string[];
  remove: () => Promise<unknown>;
}) {
  const removing = useMutation({ mutationFn: remove, onSuccess: useRefresh(keys), onError: tellError });
  return (
    <Button
      size="xs"
      variant="default"
      c="var(--kiln-bad)"
      aria-label={label}
      loading={removing.isPending}
      onClick={() => window.confirm(question) && removing.mutate()}
    >
      Remove
    </Button>
  );
}
