import { Card, Group, PasswordInput, Stack, Textarea, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { answer, api } from '../api/api-client.ts';
import { Answered } from '../components/answered.tsx';
import { DataTable } from '../components/data-table.tsx';
import { Empty } from '../components/page-state.tsx';
import { When } from '../components/when.tsx';
import { accessBody, AccessFields, emptyAccess } from './access-fields.tsx';
import { RemoveButton, SettingsForm, useMaking } from './settings-form.tsx';

/** What builds may mount, and where they fetch their files from. */
export function BuildsSettings() {
  return (
    <Stack gap="lg">
      <NewSecret />
      <Secrets />
      <NewSource />
      <Sources />
    </Stack>
  );
}

function NewSecret() {
  const [name, setName] = useState('');
  const [value, setValue] = useState('');
  const making = useMaking(
    ['secrets'],
    () =>
      answer(api.PUT('/api/v1/secrets/{Name}', { params: { path: { Name: name.trim() } }, body: { Value: value } })),
    () => {
      setName('');
      setValue('');
    },
  );
  return (
    <SettingsForm title="New build secret" button="Keep the secret" making={making}>
      <Group grow align="start">
        <TextInput
          label="Name"
          description="RUN --mount=type=secret,id=NAME"
          required
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <PasswordInput
          label="Value"
          description="It is never shown again"
          required
          autoComplete="new-password"
          value={value}
          onChange={(event) => setValue(event.currentTarget.value)}
        />
      </Group>
    </SettingsForm>
  );
}

function Secrets() {
  const secrets = useQuery({
    queryKey: ['secrets'],
    queryFn: ({ signal }) => answer(api.GET('/api/v1/secrets', { signal })),
  });
  return (
    <Answered query={secrets} rows={2}>
      {({ Secrets: rows }) =>
        rows.length === 0 ? (
          <Empty title="No build secret yet" />
        ) : (
          <Card withBorder>
            <DataTable
              label="Build secrets"
              minWidth={420}
              rows={rows}
              keyOf={(it) => it.Name}
              columns={[
                { title: 'Name', cell: (it) => it.Name },
                { title: 'Changed', cell: (it) => <When at={it.GmtModifiedTime} /> },
                {
                  title: 'Do',
                  end: true,
                  cell: ({ Name }) => (
                    <RemoveButton
                      label={`Remove secret ${Name}`}
                      question={`Forget ${Name}? Builds that need it are refused from then on.`}
                      keys={['secrets']}
                      remove={() => answer(api.DELETE('/api/v1/secrets/{Name}', { params: { path: { Name } } }))}
                    />
                  ),
                },
              ]}
            />
          </Card>
        )
      }
    </Answered>
  );
}

const empty = { host: '', privateKey: '', knownHosts: '', ...emptyAccess };

function NewSource() {
  const [draft, setDraft] = useState(empty);
  const set = (change: Partial<typeof draft>) => setDraft((old) => ({ ...old, ...change }));
  const making = useMaking(
    ['sources'],
    () =>
      answer(
        api.PUT('/api/v1/sources/{Host}', {
          params: { path: { Host: draft.host.trim() } },
          body: {
            ...accessBody(draft),
            ...(draft.privateKey.trim() === '' ? {} : { PrivateKey: draft.privateKey }),
            ...(draft.knownHosts.trim() === '' ? {} : { KnownHosts: draft.knownHosts }),
          },
        }),
      ),
    () => setDraft(empty),
  );
  return (
    <SettingsForm title="New source of files" button="Keep the source" making={making}>
      <TextInput
        label="Host"
        description="Of Git repositories or archives that builds fetch with credentials"
        placeholder="git.example.com"
        required
        value={draft.host}
        onChange={(event) => set({ host: event.currentTarget.value })}
      />
      <AccessFields draft={draft} set={set} />
      <Group grow align="start">
        <Textarea
          label="Private key for ssh"
          autosize
          minRows={1}
          maxRows={6}
          value={draft.privateKey}
          onChange={(event) => set({ privateKey: event.currentTarget.value })}
        />
        <Textarea
          label="Keys of the host"
          placeholder="as ssh-keyscan prints them"
          autosize
          minRows={1}
          maxRows={6}
          value={draft.knownHosts}
          onChange={(event) => set({ knownHosts: event.currentTarget.value })}
        />
      </Group>
    </SettingsForm>
  );
}

function Sources() {
  const sources = useQuery({
    queryKey: ['sources'],
    queryFn: ({ signal }) => answer(api.GET('/api/v1/sources', { signal })),
  });
  return (
    <Answered query={sources} rows={2}>
      {({ Sources: rows }) =>
        rows.length === 0 ? (
          <Empty title="No source yet">Public repositories and archives need none.</Empty>
        ) : (
          <Card withBorder>
            <DataTable
              label="Sources"
              minWidth={520}
              rows={rows}
              keyOf={(it) => it.Host}
              columns={[
                { title: 'Host', cell: (it) => it.Host },
                { title: 'Connection', cell: (it) => it.Tls },
                { title: 'User', cell: (it) => it.Username ?? 'nobody' },
                { title: 'ssh', cell: (it) => (it.HasKey ? 'with a key' : it.HasKnownHosts ? 'host known' : '') },
                {
                  title: 'Do',
                  end: true,
                  cell: ({ Host }) => (
                    <RemoveButton
                      label={`Remove source ${Host}`}
                      question={`Forget how to reach ${Host}?`}
                      keys={['sources']}
                      remove={() => answer(api.DELETE('/api/v1/sources/{Host}', { params: { path: { Host } } }))}
                    />
                  ),
                },
              ]}
            />
          </Card>
        )
      }
    </Answered>
  );
}
