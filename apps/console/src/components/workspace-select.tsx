import { Select } from '@mantine/core';
import { useSession } from '../session/session.ts';

/** Of which workspace a list is; absent where there is one only. */
export function WorkspaceSelect({
  value,
  onChange,
  hasAll = false,
}: {
  value: string;
  onChange: (id: string) => void;
  /** Whether all of them can be chosen, which is the empty value. */
  hasAll?: boolean;
}) {
  const { Workspaces } = useSession();
  if (Workspaces.length < 2) return null;
  const one = Workspaces.map((it) => ({ value: it.WorkspaceId, label: it.Name }));
  return (
    <Select
      aria-label="Workspace"
      data={hasAll ? [{ value: 'all', label: 'All workspaces' }, ...one] : one}
      value={value === '' && hasAll ? 'all' : value}
      onChange={(id) => onChange(id === null || id === 'all' ? '' : id)}
      allowDeselect={false}
      w={180}
    />
  );
}
