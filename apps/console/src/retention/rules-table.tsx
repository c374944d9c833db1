import { Card, Text, Title } from '@mantine/core';
import type { Retention } from '../api/replies.ts';
import { DataTable } from '../components/data-table.tsx';
import { days, labelText } from './rule.ts';

const listed = (all: readonly string[]): string => (all.length === 0 ? '—' : all.join(', '));

/** The rules of a workspace, for those who may not change them. */
export function RulesTable({ retention: { Rules } }: { retention: Retention }) {
  return (
    <Card withBorder>
      <Title order={2} size="h5" mb="xs">
        What is kept
      </Title>
      <Text size="sm" c="dimmed">
        {Rules.length === 0 ? (
          'Everything: there is no rule. Admins of the account make rules.'
        ) : (
          <>
            An image is kept when one of these is true of it. Of several rules, the first one that is for a repository
            decides. Admins of the account change them.
          </>
        )}
      </Text>
      {Rules.length > 0 && (
        <DataTable
          label="Rules"
          minWidth={760}
          rows={Rules.map((rule, n) => ({ ...rule, number: n + 1 }))}
          keyOf={(it) => it.number}
          columns={[
            { title: 'Repositories', cell: (it) => listed(it.Repositories) },
            { title: 'The newest', end: true, cell: (it) => it.KeepLast },
            { title: 'Not older than', end: true, cell: (it) => days(it.KeepDays) },
            { title: 'Used in the last', end: true, cell: (it) => days(it.KeepUsedDays) },
            { title: 'Tags', cell: (it) => listed(it.KeepTags) },
            { title: 'Labels', cell: (it) => listed(it.KeepLabels.map(labelText)) },
          ]}
        />
      )}
    </Card>
  );
}
