import { Alert, Button, Code, CopyButton, Group, Text } from '@mantine/core';

/** A secret that nobody sees again. */
export function ShownOnce({ title, secret, children }: { title: string; secret: string; children?: string }) {
  return (
    <Alert color="green" title={title} role="status">
      {children !== undefined && (
        <Text size="sm" mb="xs">
          {children}
        </Text>
      )}
      <Group gap="sm">
        <Code style={{ overflowWrap: 'anywhere' }}>{secret}</Code>
        <CopyButton value={secret}>
          {({ copied, copy }) => (
            <Button size="xs" variant="default" onClick={copy}>
              {copied ? 'Copied' : 'Copy'}
            </Button>
          )}
        </CopyButton>
      </Group>
    </Alert>
  );
}
