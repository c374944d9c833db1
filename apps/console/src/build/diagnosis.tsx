import { Alert, Anchor, Code, Group, Stack, Text } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import type { BuildFailure } from '../api/replies.ts';

const classes: Record<string, string> = {
  user: 'Yours to mend: the Dockerfile or the request',
  policy: 'A limit or rule of this installation',
  upstream: 'Something outside: a registry or the network',
  infra: 'Trouble of Kiln’s own; it was tried as often as may be',
  auth: 'Credentials',
};

/** Why a build failed, where, and what to do about it. */
export function Diagnosis({ error, showDockerfile }: { error: BuildFailure; showDockerfile: () => void }) {
  const where = error.FirstLine;
  return (
    <Alert
      color="red"
      variant="light"
      icon={<IconAlertTriangle aria-hidden />}
      title={error.Cause ?? error.Message}
      role="alert"
      styles={{ wrapper: { minWidth: 0 }, body: { minWidth: 0 } }}
    >
      <Stack gap="sm">
        {error.Hint !== undefined && (
          <Text size="sm">
            <b>What to do:</b> {error.Hint}
          </Text>
        )}
        {error.Excerpt && error.Excerpt.length > 0 && (
          <Code block mah={220} style={{ overflow: 'auto' }} tabIndex={0} aria-label="What the log says">
            {error.Excerpt.join('\n')}
          </Code>
        )}
        {error.Cause !== undefined && (
          <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
            {error.Message}
          </Text>
        )}
        <Group gap="lg">
          <Fact name="Reason" value={error.Reason ?? error.Code} />
          <Fact name="Code" value={error.Code} />
          <Fact name="Whose" value={classes[error.Class] ?? error.Class} />
          {error.ExitCode !== undefined && <Fact name="Exit code" value={String(error.ExitCode)} />}
          {where !== undefined && (
            <Text size="sm">
              <Anchor component="button" type="button" size="sm" onClick={showDockerfile}>
                Dockerfile line {where}
                {error.LastLine !== undefined && error.LastLine !== where ? `–${error.LastLine}` : ''}
              </Anchor>
            </Text>
          )}
        </Group>
      </Stack>
    </Alert>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <Text size="sm">
      <Text span c="dimmed" size="sm">
        {name}{' '}
      </Text>
      {value}
    </Text>
  );
}
