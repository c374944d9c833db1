import { Button, Stack, Text, Title } from '@mantine/core';
import { Component, type ReactNode } from 'react';

/** What is shown in place of a page that broke, or whose code is gone since Kiln was upgraded. */
export class ErrorBoundary extends Component<{ children: ReactNode }, { broken: boolean }> {
  override state = { broken: false };

  static getDerivedStateFromError() {
    return { broken: true };
  }

  override render(): ReactNode {
    if (!this.state.broken) return this.props.children;
    return (
      <Stack align="center" py={64} gap="sm" role="alert">
        <Title order={1} size="h3">
          This page cannot be shown
        </Title>
        <Text c="dimmed">Kiln may have been upgraded since it was opened.</Text>
        <Button onClick={() => location.reload()}>Load it again</Button>
      </Stack>
    );
  }
}
