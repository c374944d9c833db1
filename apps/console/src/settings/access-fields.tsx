import type { TlsMode } from '@kiln/domain';
import { Group, PasswordInput, Select, TextInput } from '@mantine/core';

/** How a host is reached. */
export interface AccessDraft {
  tls: TlsMode;
  username: string;
  password: string;
}
export const emptyAccess: AccessDraft = { tls: 'verify', username: '', password: '' };

export const accessBody = ({ tls, username, password }: AccessDraft) => ({
  Tls: tls,
  ...(username === '' ? {} : { Username: username }),
  ...(password === '' ? {} : { Password: password }),
});

const choices = [
  { value: 'verify', label: 'TLS, checked' },
  { value: 'skip-verify', label: 'TLS, not checked' },
  { value: 'http', label: 'no TLS' },
];

export function AccessFields({ draft, set }: { draft: AccessDraft; set: (change: Partial<AccessDraft>) => void }) {
  return (
    <Group grow align="start">
      <Select
        label="Connection"
        allowDeselect={false}
        data={choices}
        value={draft.tls}
        onChange={(tls) => set({ tls: (tls ?? 'verify') as AccessDraft['tls'] })}
      />
      <TextInput
        label="User"
        placeholder="nobody"
        autoComplete="off"
        value={draft.username}
        onChange={(event) => set({ username: event.currentTarget.value })}
      />
      <PasswordInput
        label="Password or token"
        autoComplete="new-password"
        value={draft.password}
        onChange={(event) => set({ password: event.currentTarget.value })}
      />
    </Group>
  );
}
