import { Code, Stack, Text } from '@mantine/core';
import type { Build } from '../api/replies.ts';

/** The request as it was accepted; its Dockerfile has a tab of its own, and credentials are never kept in it. */
export function RequestView({ build }: { build: Build }) {
  const { BuildConfig, ...rest } = build.Request as { BuildConfig?: Record<string, unknown> };
  const { Dockerfile: _, ...config } = BuildConfig ?? {};
  return (
    <Stack gap="xs">
      <Text size="sm" c="dimmed">
        {build.ImageBuildId}, {build.ImageBuildJobId}, lane {build.Lane}
      </Text>
      <Code block tabIndex={0} aria-label="Request">
        {JSON.stringify({ ...rest, BuildConfig: config }, null, 2)}
      </Code>
    </Stack>
  );
}
