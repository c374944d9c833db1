import { Anchor, Stack, Text } from '@mantine/core';
import { Link } from 'wouter';

/** The name of an image, which leads to it, over its reference. */
export function ImageLink({ image }: { image: { ImageId: string; Name: string; ImageUri: string } }) {
  return (
    <Stack gap={0}>
      <Anchor component={Link} href={`/images/${image.ImageId}`} size="sm" fw={600} underline="never">
        {image.Name}
      </Anchor>
      <Text size="xs" ff="monospace" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
        {image.ImageUri}
      </Text>
    </Stack>
  );
}
