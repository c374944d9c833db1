import { Anchor, Text } from '@mantine/core';
import { Link } from 'wouter';
import type { TriedPolicy } from '../api/replies.ts';
import { DataTable } from '../components/data-table.tsx';
import { Tone } from '../components/state-badge.tsx';

/** Images that a policy would refuse or warn of, with the rules that they break. */
export function RefusedImages({ images }: { images: TriedPolicy['Images'] }) {
  return (
    <DataTable
      label="Images that fail"
      minWidth={560}
      rows={images}
      keyOf={(it) => it.ImageId}
      columns={[
        {
          title: 'Image',
          cell: (it) => (
            <Anchor component={Link} href={`/images/${it.ImageId}`} size="sm">
              {it.Name}
            </Anchor>
          ),
        },
        {
          title: 'Outcome',
          cell: (it) => (
            <Tone tone={it.Verdict === 'fail' ? 'bad' : 'warn'}>{it.Verdict === 'fail' ? 'fails' : 'warning'}</Tone>
          ),
        },
        {
          title: 'Why',
          cell: (it) =>
            it.Broken.map((rule) => (
              <Text key={`${rule.Profile} ${rule.Rule}`} size="sm">
                {rule.Profile} {rule.Rule}: {rule.Found}
              </Text>
            )),
        },
      ]}
    />
  );
}
