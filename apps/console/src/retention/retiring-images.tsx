import { Button, Card, Text, Title } from '@mantine/core';
import type { RetiringImage } from '../api/replies.ts';
import { Answered } from '../components/answered.tsx';
import { DataTable } from '../components/data-table.tsx';
import { Tone } from '../components/state-badge.tsx';
import { When } from '../components/when.tsx';
import { ImageLink } from '../images/image-link.tsx';
import { useRestoring, useRetiring } from './use-retiring.ts';

export const stageLooks = {
  deprecated: { tone: 'warn', label: 'Deprecated', next: 'hidden' },
  hidden: { tone: 'bad', label: 'Hidden', next: 'deleted' },
} as const satisfies Record<RetiringImage['Stage'], unknown>;

/** Images of a workspace that are on their way out, those that go on first first. */
export function RetiringImages({ workspace }: { workspace: string }) {
  const restoring = useRestoring();
  return (
    <Card withBorder>
      <Title order={2} size="h5" mb="xs">
        On their way out
      </Title>
      <Answered query={useRetiring(workspace)} rows={2}>
        {({ Images }) =>
          Images.length === 0 ? (
            <Text size="sm" c="dimmed">
              None. Images come here when a plan is run that lists them.
            </Text>
          ) : (
            <DataTable
              label="Images on their way out"
              minWidth={720}
              rows={Images}
              keyOf={(it) => it.ImageId}
              columns={[
                { title: 'Image', cell: (it) => <ImageLink image={it} /> },
                {
                  title: 'State',
                  cell: ({ Stage }) => <Tone tone={stageLooks[Stage].tone}>{stageLooks[Stage].label}</Tone>,
                },
                {
                  title: 'Next',
                  cell: (it) => (
                    <Text size="sm">
                      {stageLooks[it.Stage].next} <When at={it.GmtNextTime} />
                    </Text>
                  ),
                },
                { title: 'Why', cell: (it) => it.Reason },
                {
                  title: 'Do',
                  end: true,
                  cell: ({ ImageId, Name }) => (
                    <Button
                      size="xs"
                      variant="default"
                      aria-label={`Restore ${Name}`}
                      loading={restoring.isPending && restoring.variables === ImageId}
                      onClick={() => restoring.mutate(ImageId)}
                    >
                      Restore
                    </Button>
                  ),
                },
              ]}
            />
          )
        }
      </Answered>
    </Card>
  );
}
