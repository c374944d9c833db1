import { Alert, Button, Card, Center, Code, PasswordInput, Stack, Text, Title } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { answer, api } from '../api/api-client.ts';
import { useTitle } from '../components/page.tsx';
import logo from '../kiln.svg';
import { changeSession } from './session.ts';

export function SignIn() {
  useTitle('Sign in');
  const [token, setToken] = useState('');
  const client = useQueryClient();
  const signIn = useMutation({
    mutationFn: () => answer(api.POST('/api/v1/session', { body: { Token: token } })),
    onSuccess: (session) => changeSession(client, session),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (token.trim() !== '') signIn.mutate();
  };
  return (
    <Center component="main" mih="100vh" p="md">
      <Card withBorder w={420} maw="100%" padding="xl" radius="md">
        <form onSubmit={submit}>
          <Stack>
            <img src={logo} width={44} height={44} alt="" />
            <Title order={1} size="h2">
              Sign in to Kiln
            </Title>
            <PasswordInput
              label="Token"
              description="A token of your own, as “kiln_…”"
              value={token}
              onChange={(event) => setToken(event.currentTarget.value)}
              autoComplete="current-password"
              data-autofocus
              autoFocus
              required
            />
            {signIn.error && (
              <Alert color="red" variant="light" role="alert">
                {signIn.error.message}
              </Alert>
            )}
            <Button type="submit" loading={signIn.isPending}>
              Sign in
            </Button>
            <Text size="sm" c="dimmed">
              No token yet? Your operator makes one with <Code>npm run admin -- create token ACCOUNT USER</Code>. The
              browser keeps a session for twelve hours, never the token.
            </Text>
          </Stack>
        </form>
      </Card>
    </Center>
  );
}
