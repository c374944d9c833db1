import { Table } from '@mantine/core';
import type { ReactNode } from 'react';

/** A table that is scrolled sideways where it does not fit, by the keyboard as well. */
export function WideTable({ label, minWidth, children }: { label: string; minWidth: number; children: ReactNode }) {
  return (
    <Table.ScrollContainer type="native" minWidth={minWidth} tabIndex={0} role="region" aria-label={label}>
      {children}
    </Table.ScrollContainer>
  );
}
