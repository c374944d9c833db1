import { Alert, Button, Group, Skeleton, Stack, Text, Title } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { ApiError } from '../api/api-client.ts';

/** What stands in for a list while it loads: of the size that the list will have. */
export function Loading({ rows = 8, height = 44 }: { rows?: number; height?: number }) {
  return (
    <Stack gap="xs" aria-busy="true" aria-label="Loading">
      {Array.from({ length: rows }, (_, n) => (
        <Skeleton key={n} height={height} radius="sm" />
      ))}
    </Stack>
  );
}

/** What went wrong, in the api's own words, and a way on. */
export function Failed({ error, again }: { error: unknown; again?: () => void }) {
  const known = error instanceof ApiError ? error : undefined;
  const message = known?.message ?? 'Kiln cannot be reached just now. It is asked again by itself.';
  return (
    <Alert
      color="red"
      variant="light"
      icon={<IconAlertTriangle aria-hidden />}
      title={known ? known.code : 'No answer'}
      role="alert"
    >
      <Text size="sm">{message}</Text>
      {known?.hint !== undefined && <Text size="sm">{known.hint}</Text>}
      <Group mt="sm" gap="sm">
        {again && (
          <Button size="xs" variant="default" onClick={again}>
            Try again
          </Button>
        )}
        {known?.requestId !== undefined && (
          <Text size="xs" ff="monospace">
            request {known.requestId}
          </Text>
        )}
      </Group>
    </Alert>
  );
}

/** An empty list, and what would fill it. */
export function Empty({ title, children, action }: { title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <Stack align="center" py={64} gap="xs" ta="center">
      <Title order={2} size="h4">
        {title}
      </Title>
      {children !== undefined && (
        <Text c="dimmed" maw={460}>
          {children}
        </Text>
      )}
      {action}
    </Stack>
  );
}
