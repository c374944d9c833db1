import { Table } from '@mantine/core';
import type { ReactNode } from 'react';
import { WideTable } from './wide-table.tsx';

export interface Column<T> {
  title: string;
  cell: (row: T) => ReactNode;
  /** Numbers stand at the end. */
  end?: boolean;
}

/** Rows of one kind, each with the same columns. */
export function DataTable<T>({
  label,
  minWidth,
  columns,
  rows,
  keyOf,
}: {
  label: string;
  minWidth: number;
  columns: readonly Column<T>[];
  rows: readonly T[];
  keyOf: (row: T) => string | number;
}) {
  const at = ({ end }: Column<T>) => (end ? { ta: 'end' as const, style: { whiteSpace: 'nowrap' as const } } : {});
  return (
    <WideTable label={label} minWidth={minWidth}>
      <Table highlightOnHover verticalSpacing="xs">
        <Table.Thead>
          <Table.Tr>
            {columns.map((it) => (
              <Table.Th key={it.title} {...at(it)}>
                {it.title}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((row) => (
            <Table.Tr key={keyOf(row)}>
              {columns.map((it) => (
                <Table.Td key={it.title} {...at(it)}>
                  {it.cell(row)}
                </Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </WideTable>
  );
}
