import { MultiSelect } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { answer, api } from '../api/api-client.ts';

const offeredMax = 25;

/** Images of a workspace, which are found by their names. */
export function ImageChoice({
  label,
  description,
  workspace,
  value,
  onChange,
  most,
  error,
}: {
  label: string;
  description: string;
  workspace: string;
  /** Ids. */
  value: string[];
  onChange: (ids: string[]) => void;
  most: number;
  error: string | undefined;
}) {
  const [text, setText] = useState('');
  const [wanted] = useDebouncedValue(text, 250);
  // Of those that the address brings, only the ids are known.
  const [names, setNames] = useState<ReadonlyMap<string, string>>(new Map());
  const query = { WorkspaceId: workspace, Query: wanted, SortBy: 'GmtCreateTime', Order: 'DESC', PageSize: offeredMax };
  const found = useQuery({
    queryKey: ['images', query],
    queryFn: ({ signal }) => answer(api.GET('/api/v1/images', { params: { query }, signal })),
    placeholderData: keepPreviousData,
  });
  const offered = new Map(found.data?.Images.map((it) => [it.ImageId, it.Name]));
  const data = [...new Set([...value, ...offered.keys()])].map((id) => ({
    value: id,
    label: offered.get(id) ?? names.get(id) ?? id,
  }));
  return (
    <MultiSelect
      label={label}
      description={description}
      placeholder={value.length === 0 ? 'part of a name' : ''}
      data={data}
      // The api has looked for the text already.
      filter={({ options }) => options}
      value={value}
      onChange={(ids) => {
        setNames(new Map(data.map((it) => [it.value, it.label])));
        onChange(ids);
      }}
      searchable
      searchValue={text}
      onSearchChange={setText}
      nothingFoundMessage="No image has such a name"
      hidePickedOptions
      clearable
      maxValues={most}
      error={error}
    />
  );
}
