import { Card, Group, MultiSelect, Select, Stack, TextInput } from '@mantine/core';
import { type Role, roles } from '@kiln/domain/roles';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { answer, api } from '../api/api-client.ts';
import { Answered } from '../components/answered.tsx';
import { DataTable } from '../components/data-table.tsx';
import { tellError } from '../components/notifications.ts';
import { When } from '../components/when.tsx';
import { useSession } from '../session/session.ts';
import { RemoveButton, SettingsForm, useMaking } from './settings-form.tsx';
import { ShownOnce } from './shown-once.tsx';

/** Who belongs to the account, and what they may do. */
export function Users() {
  const session = useSession();
  const client = useQueryClient();
  const users = useQuery({
    queryKey: ['users'],
    queryFn: ({ signal }) => answer(api.GET('/api/v1/users', { signal })),
  });
  const change = useMutation({
    mutationFn: ({ UserId, Role: role }: { UserId: string; Role: Role }) =>
      answer(api.PUT('/api/v1/users/{UserId}', { params: { path: { UserId } }, body: { Role: role } })),
    onSuccess: () => client.invalidateQueries({ queryKey: ['users'] }),
    onError: tellError,
  });
  const nameOf = (id: string) => session.Workspaces.find((it) => it.WorkspaceId === id)?.Name ?? id;
  return (
    <Stack gap="lg">
      <NewUser />
      <Answered query={users} rows={3}>
        {({ Users: rows }) => (
          <Card withBorder>
            <DataTable
              label="Users"
              minWidth={620}
              rows={rows}
              keyOf={(it) => it.UserId}
              columns={[
                { title: 'Name', cell: (it) => it.Name },
                {
                  title: 'Role',
                  cell: (it) => (
                    <Select
                      aria-label={`Role of ${it.Name}`}
                      size="xs"
                      allowDeselect={false}
                      data={[...roles]}
                      value={it.Role}
                      disabled={change.isPending}
                      onChange={(role) => role && change.mutate({ UserId: it.UserId, Role: role })}
                    />
                  ),
                },
                { title: 'Workspaces', cell: (it) => it.WorkspaceIds.map(nameOf).join(', ') },
                { title: 'Made', cell: (it) => <When at={it.GmtCreateTime} /> },
                {
                  title: 'Do',
                  end: true,
                  cell: (it) => (
                    <RemoveButton
                      label={`Remove ${it.Name}`}
                      question={`Revoke ${it.Name}, with all keys and tokens? That cannot be undone.`}
                      keys={['users', 'tokens']}
                      remove={() =>
                        answer(api.DELETE('/api/v1/users/{UserId}', { params: { path: { UserId: it.UserId } } }))
                      }
                    />
                  ),
                },
              ]}
            />
          </Card>
        )}
      </Answered>
    </Stack>
  );
}

function NewUser() {
  const session = useSession();
  const [name, setName] = useState('');
  const [role, setRole] = useState<Role>('developer');
  const [workspaces, setWorkspaces] = useState<string[]>([]);
  const making = useMaking(
    ['users', 'tokens'],
    async () => {
      const { UserId } = await answer(
        api.POST('/api/v1/users', { body: { Name: name.trim(), Role: role, WorkspaceIds: workspaces } }),
      );
      // With which the user signs in, and makes others.
      return { name: name.trim(), ...(await answer(api.POST('/api/v1/tokens', { body: { UserId, Days: 7 } }))) };
    },
    () => setName(''),
  );
  return (
    <SettingsForm title="New user" button="Make a user" making={making}>
      <Group grow align="start">
        <TextInput label="Name" required value={name} onChange={(event) => setName(event.currentTarget.value)} />
        <Select
          label="Role"
          allowDeselect={false}
          data={[...roles]}
          value={role}
          onChange={(it) => setRole(it ?? 'developer')}
        />
        <MultiSelect
          label="Workspaces"
          data={session.Workspaces.map((it) => ({ value: it.WorkspaceId, label: it.Name }))}
          value={workspaces}
          onChange={setWorkspaces}
        />
      </Group>
      {making.data && (
        <ShownOnce title={`Give ${making.data.name} this token: it is shown this once`} secret={making.data.Token}>
          It signs in here, and is good for 7 days.
        </ShownOnce>
      )}
    </SettingsForm>
  );
}
