import { Button, Card, Group, Text, Title, Tooltip } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { answer, api } from '../api/api-client.ts';
import type { Attestations } from '../api/replies.ts';
import { Answered } from '../components/answered.tsx';
import { DataTable } from '../components/data-table.tsx';
import { bytes } from '../components/format.ts';
import { tellError } from '../components/notifications.ts';
import { Tone } from '../components/state-badge.tsx';

type Document = Attestations['Attestations'][number];

const titles: Record<string, string> = {
  provenance: 'Provenance (SLSA)',
  spdx: 'SBOM (SPDX)',
  cyclonedx: 'SBOM (CycloneDX)',
  signature: 'Signature',
};
/** How soon to ask again; an image that has just been built is not yet to have any. */
const refetchAfter: Partial<Record<Attestations['State'], number>> = { waiting: 2000, writing: 2000, none: 5000 };

/** What is attached to an image of a build, and whether its signature is good. */
export function ImageAttestations({ id }: { id: string }) {
  const found = useQuery({
    queryKey: ['attestations', id],
    queryFn: ({ signal }) =>
      answer(api.GET('/api/v1/images/{ImageId}/attestations', { params: { path: { ImageId: id } }, signal })),
    refetchInterval: ({ state }) => (state.data && refetchAfter[state.data.State]) ?? false,
  });
  if (found.data?.State === 'none') return null;
  return (
    <Card withBorder>
      <Title order={2} size="h5" mb="xs">
        What is attached to it
      </Title>
      <Answered query={found} rows={2} height={32}>
        {({ State, Message, Attestations: documents }) =>
          documents.length === 0 ? (
            <Text size="sm" c="dimmed">
              {State === 'failed'
                ? `Nothing could be attached: ${Message ?? ''}`
                : 'A registrar writes it in a moment.'}
            </Text>
          ) : (
            <DataTable
              label="Attached documents"
              minWidth={560}
              rows={documents}
              keyOf={(it) => it.Digest}
              columns={[
                { title: 'Document', cell: (it) => titles[it.Kind] ?? it.Kind },
                { title: 'Size', end: true, cell: (it) => bytes(it.Size) },
                {
                  title: 'Signed with key',
                  cell: (it) => (
                    <Tooltip label={it.KeyId}>
                      <Text span size="sm" ff="monospace">
                        {it.KeyId.slice(0, 12)}
                      </Text>
                    </Tooltip>
                  ),
                },
                { title: 'Signature', end: true, cell: (it) => <Verify id={id} document={it} /> },
              ]}
            />
          )
        }
      </Answered>
    </Card>
  );
}

/** Reads the document back from its registry, once somebody wants to know. */
function Verify({ id, document: { Digest, Kind } }: { id: string; document: Document }) {
  const verifying = useMutation({
    mutationFn: () =>
      answer(api.GET('/api/v1/images/{ImageId}/attestations/{Digest}', { params: { path: { ImageId: id, Digest } } })),
    onError: tellError,
  });
  if (!verifying.data)
    return (
      <Button
        size="xs"
        variant="default"
        aria-label={`Verify: ${titles[Kind] ?? Kind}`}
        loading={verifying.isPending}
        onClick={() => verifying.mutate()}
      >
        Verify
      </Button>
    );
  const { Verified, Reason } = verifying.data;
  return (
    <Group justify="flex-end">
      <Tone tone={Verified ? 'good' : 'bad'}>{Verified ? 'verified' : (Reason ?? 'not verified')}</Tone>
    </Group>
  );
}
