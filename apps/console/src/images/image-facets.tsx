import { Group, Select, Text } from '@mantine/core';
import { useQueries } from '@tanstack/react-query';
import { useState } from 'react';
import { answer, api } from '../api/api-client.ts';
import type { ImageQuery, LabelList } from '../api/replies.ts';

/** Labels that Kiln fills in from what it reads in images. */
const facets = [
  { key: 'system.framework', label: 'Framework' },
  { key: 'system.pythonVersion', label: 'Python' },
  { key: 'system.dsw.cudaVersion', label: 'CUDA' },
  { key: 'system.dsw.os', label: 'System' },
  { key: 'system.chipType', label: 'Chip' },
] as const;

export const isFacet = (pair: string): boolean => facets.some(({ key }) => pair.startsWith(`${key}=`));

/** Each value is counted by a call of its own; of more than these, only the names are shown. */
const countedMax = 24;

/** Filters by what was found in images; each is there where the workspace has images of which it is known. */
export function ImageFacets({
  known,
  query,
  labels,
  onChange,
}: {
  known: LabelList['Labels'];
  /** What else the list is filtered by. */
  query: ImageQuery;
  /** The pairs that are chosen, of facets and others. */
  labels: readonly string[];
  onChange: (labels: string[]) => void;
}) {
  return facets.map(({ key, label }) => {
    // The api reads commas as the end of a pair.
    const values = known.flatMap((it) => (it.Key === key && !it.Value.includes(',') ? [it.Value] : []));
    const others = labels.filter((it) => !it.startsWith(`${key}=`));
    const chosen = labels.find((it) => it.startsWith(`${key}=`))?.slice(key.length + 1);
    if (values.length === 0 && chosen === undefined) return null;
    return (
      <Facet
        key={key}
        name={key}
        label={label}
        values={[...new Set([...values, ...(chosen === undefined ? [] : [chosen])])]}
        chosen={chosen}
        query={query}
        others={others}
        onChange={(value) => onChange(value === null ? others : [...others, `${key}=${value}`])}
      />
    );
  });
}

const byNumbers = new Intl.Collator('en', { numeric: true });

function Facet({
  name,
  label,
  values,
  chosen,
  query,
  others,
  onChange,
}: {
  name: string;
  label: string;
  values: string[];
  chosen: string | undefined;
  query: ImageQuery;
  others: readonly string[];
  onChange: (value: string | null) => void;
}) {
  const [isOpen, setOpen] = useState(false);
  const sorted = values.toSorted(byNumbers.compare);
  const counts = useQueries({
    queries: sorted.slice(0, countedMax).map((value) => {
      const asked = { ...query, Labels: [...others, `${name}=${value}`].join(','), PageNumber: 1, PageSize: 1 };
      return {
        queryKey: ['images', 'count', asked],
        queryFn: ({ signal }: { signal: AbortSignal }) =>
          answer(api.GET('/api/v1/images', { params: { query: asked }, signal })),
        enabled: isOpen,
        staleTime: 10_000,
      };
    }),
    combine: (answers) => new Map(answers.map((it, n) => [sorted[n], it.data?.TotalCount])),
  });
  return (
    <Select
      aria-label={label}
      data={[{ value: 'all', label: `${label}: any` }, ...sorted]}
      value={chosen ?? 'all'}
      onChange={(value) => onChange(value === 'all' ? null : value)}
      onDropdownOpen={() => setOpen(true)}
      onDropdownClose={() => setOpen(false)}
      searchable={sorted.length > 10}
      allowDeselect={false}
      renderOption={({ option }) => (
        <Group justify="space-between" wrap="nowrap" w="100%">
          <span>{option.label}</span>
          <Text span size="sm" c="dimmed">
            {counts.get(option.value) ?? ''}
          </Text>
        </Group>
      )}
      w={150}
    />
  );
}
