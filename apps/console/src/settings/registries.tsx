import { Card, Group, Select, Stack, Text, TextInput } from '@mantine/core';
import { useState } from 'react';
import { answer, api } from '../api/api-client.ts';
import { Answered } from '../components/answered.tsx';
import { DataTable } from '../components/data-table.tsx';
import { Empty } from '../components/page-state.tsx';
import { Tone } from '../components/state-badge.tsx';
import { isAtLeast, useSession } from '../session/session.ts';
import { accessBody, AccessFields, emptyAccess } from './access-fields.tsx';
import { RemoveButton, SettingsForm, useMaking } from './settings-form.tsx';
import { useAccess } from './use-access.ts';

/** Where images are pushed to and pulled from. */
export function Registries() {
  const isAdmin = isAtLeast(useSession(), 'admin');
  return (
    <Stack gap="lg">
      {isAdmin && <NewRegistry />}
      <Answered query={useAccess()} rows={3}>
        {({ Registries: rows }) =>
          rows.length === 0 ? (
            <Empty title="No registry yet">{isAdmin ? '' : 'An admin of the account adds one.'}</Empty>
          ) : (
            <Card withBorder>
              <DataTable
                label="Registries"
                minWidth={520}
                rows={rows}
                keyOf={(it) => it.InstanceId}
                columns={[
                  { title: 'Connection', cell: (it) => it.InstanceId },
                  { title: 'Host', cell: (it) => it.Host },
                  { title: 'TLS', cell: (it) => <Tone tone={it.Tls === 'verify' ? 'good' : 'warn'}>{it.Tls}</Tone> },
                  { title: 'Signs in', cell: (it) => (it.SignsIn ? 'with a password' : 'as nobody') },
                  { title: 'New layers', cell: (it) => it.Compression },
                  {
                    title: 'Layer cache',
                    cell: (it) => (it.TakesCache === false ? 'refused by the registry' : (it.CacheRepository ?? '–')),
                  },
                  ...(isAdmin
                    ? [
                        {
                          title: 'Do',
                          end: true,
                          cell: ({ InstanceId }: (typeof rows)[number]) => (
                            <RemoveButton
                              label={`Remove registry ${InstanceId}`}
                              question={`Forget ${InstanceId}? Builds that name it are refused from then on; images stay.`}
                              keys={['access', 'session']}
                              remove={() =>
                                answer(
                                  api.DELETE('/api/v1/registries/{InstanceId}', { params: { path: { InstanceId } } }),
                                )
                              }
                            />
                          ),
                        },
                      ]
                    : []),
                ]}
              />
            </Card>
          )
        }
      </Answered>
    </Stack>
  );
}

const empty = { id: '', host: '', repository: '', cache: '', compression: 'gzip' as const, ...emptyAccess };

function NewRegistry() {
  const [draft, setDraft] = useState<Omit<typeof empty, 'compression'> & { compression: 'gzip' | 'zstd' | 'auto' }>(
    empty,
  );
  const set = (change: Partial<typeof draft>) => setDraft((old) => ({ ...old, ...change }));
  const making = useMaking(
    ['access', 'session'],
    () =>
      answer(
        api.PUT('/api/v1/registries/{InstanceId}', {
          params: { path: { InstanceId: draft.id.trim() } },
          body: {
            Host: draft.host.trim(),
            ...accessBody(draft),
            Compression: draft.compression,
            ...(draft.repository.trim() === '' ? {} : { Repository: draft.repository.trim() }),
            ...(draft.cache.trim() === '' ? {} : { CacheRepository: draft.cache.trim() }),
          },
        }),
      ),
    () => setDraft(empty),
  );
  return (
    <SettingsForm title="New registry" button="Try and add" making={making}>
      <Group grow align="start">
        <TextInput
          label="Name of the connection"
          placeholder="cri-team"
          required
          value={draft.id}
          onChange={(event) => set({ id: event.currentTarget.value })}
        />
        <TextInput
          label="Host"
          placeholder="registry.example.com"
          required
          value={draft.host}
          onChange={(event) => set({ host: event.currentTarget.value })}
        />
      </Group>
      <AccessFields draft={draft} set={set} />
      <Group grow align="start">
        <TextInput
          label="Repository to try a push in"
          description="An upload is begun there and given up"
          placeholder="team/app"
          value={draft.repository}
          onChange={(event) => set({ repository: event.currentTarget.value })}
        />
        <TextInput
          label="Repository for the layer cache"
          description="Builders that have not built the like take layers from there"
          placeholder="team/build-cache"
          value={draft.cache}
          onChange={(event) => set({ cache: event.currentTarget.value })}
        />
        <Select
          label="New layers"
          description="How they are packed; auto is zstd where the registry takes it"
          allowDeselect={false}
          data={['gzip', 'zstd', 'auto']}
          value={draft.compression}
          onChange={(it) => set({ compression: it ?? 'gzip' })}
        />
      </Group>
      {making.data && (
        <Text size="sm" role="status">
          It is kept: the registry answered{making.data.Pushed ? ', and takes a push' : ''}.
        </Text>
      )}
    </SettingsForm>
  );
}
