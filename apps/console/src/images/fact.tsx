import { Stack, Text } from '@mantine/core';

/** One thing about an image, under its name. */
export function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <Stack gap={0}>
      <Text size="xs" c="dimmed">
        {name}
      </Text>
      <Text size="sm" component="div">
        {children}
      </Text>
    </Stack>
  );
}
