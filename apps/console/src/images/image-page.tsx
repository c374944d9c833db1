import {
  ActionIcon,
  Anchor,
  Badge,
  Card,
  Code,
  CopyButton,
  Group,
  Stack,
  Table,
  Text,
  Title,
  Tooltip,
} from '@mantine/core';
import { IconCheck, IconCopy } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import { answer, api } from '../api/api-client.ts';
import { useRefetchInterval } from '../api/live-events.ts';
import type { ImageDetails } from '../api/replies.ts';
import { Answered } from '../components/answered.tsx';
import { bytes } from '../components/format.ts';
import { Page, useTitle } from '../components/page.tsx';
import { Tone } from '../components/state-badge.tsx';
import { When } from '../components/when.tsx';
import { WideTable } from '../components/wide-table.tsx';
import { Fact } from './fact.tsx';
import { ImageAttestations } from './image-attestations.tsx';
import { ImageBases, ImageDependents } from './image-bases.tsx';
import { ImageComparison } from './image-comparison.tsx';
import { ImageContents } from './image-contents.tsx';
import { VerifyAgain } from './verify-again.tsx';
import { ImageRetention } from './image-retention.tsx';
import classes from './image-page.module.css';
import { imageTone } from './image-tone.ts';
import { ImageTable } from './images-page.tsx';

export default function ImagePage({ id }: { id: string }) {
  const details = useQuery({
    queryKey: ['image', id],
    queryFn: ({ signal }) =>
      answer(api.GET('/api/v1/images/{ImageId}/details', { params: { path: { ImageId: id } }, signal })),
    refetchInterval: useRefetchInterval(5000),
  });
  return (
    <Answered query={details} rows={6} height={72}>
      {(data) => <Shown details={data} />}
    </Answered>
  );
}

function Shown({ details }: { details: ImageDetails }) {
  const { Image: image, Platforms, History, ImageBuildId, PullReference, Versions } = details;
  useTitle(image.Name);
  const { tone, label } = imageTone(image.Status);
  // What a policy refuses is there, and has been read.
  const isThere = image.Digest !== '' && ['ACTIVE', 'ERROR'].includes(image.Status);
  return (
    <Page
      title={
        <Group gap="sm" wrap="wrap">
          {image.Name}
          <Tone tone={tone}>{label}</Tone>
        </Group>
      }
    >
      {image.StatusMessage !== '' && <Text size="sm">{image.StatusMessage}</Text>}
      <VerifyAgain image={image} />
      <Card withBorder>
        <Stack gap="sm">
          {image.Description !== '' && <Text size="sm">{image.Description}</Text>}
          <Copied label="Reference" text={image.ImageUri} />
          {image.Digest !== '' && <Copied label="Digest" text={image.Digest} />}
          <Copied label="Pull this very image" text={`docker pull ${PullReference}`} />
          <Group gap="xl">
            <Fact name="Size">{image.SizeInBytes > 0 ? bytes(image.SizeInBytes) : '—'}</Fact>
            <Fact name="Platforms">{Platforms.length > 0 ? Platforms.join(', ') : '—'}</Fact>
            <Fact name="Visibility">{image.Accessibility === 'PUBLIC' ? 'Public in the workspace' : 'Private'}</Fact>
            <Fact name="Created">
              <When at={image.GmtCreateTime} />
            </Fact>
            <Fact name="Came from">
              {ImageBuildId === undefined ? (
                'a registry'
              ) : (
                <Anchor component={Link} href={`/builds/${ImageBuildId}`} size="sm">
                  {ImageBuildId}
                </Anchor>
              )}
            </Fact>
          </Group>
          {image.Labels && image.Labels.length > 0 && (
            <Group gap={6} aria-label="Labels">
              {image.Labels.map((it) => (
                <Badge key={it.Key} variant="default" tt="none" radius="sm">
                  {it.Key}={it.Value}
                </Badge>
              ))}
            </Group>
          )}
        </Stack>
      </Card>
      {isThere && <ImageContents id={image.ImageId} />}
      {isThere && Versions.length > 0 && <ImageComparison id={image.ImageId} />}
      {isThere && ImageBuildId !== undefined && <ImageBases id={image.ImageId} />}
      {isThere && <ImageDependents id={image.ImageId} />}
      {isThere && ImageBuildId !== undefined && <ImageAttestations id={image.ImageId} />}
      {isThere && <ImageRetention details={details} />}
      {History.length > 0 && <Layers history={History} />}
      {Versions.length > 0 && (
        <Card withBorder>
          <Title order={2} size="h5" mb="xs">
            Other images of this repository
          </Title>
          <ImageTable images={Versions} />
        </Card>
      )}
    </Page>
  );
}

function Copied({ label, text }: { label: string; text: string }) {
  return (
    <Stack gap={2}>
      <Text size="xs" c="dimmed">
        {label}
      </Text>
      <Group gap="xs" wrap="nowrap">
        <Code style={{ overflowWrap: 'anywhere' }}>{text}</Code>
        <CopyButton value={text}>
          {({ copied, copy }) => (
            <Tooltip label={copied ? 'Copied' : 'Copy'}>
              <ActionIcon variant="default" onClick={copy} aria-label={`Copy: ${label}`}>
                {copied ? <IconCheck size={14} /> : <IconCopy size={14} />}
              </ActionIcon>
            </Tooltip>
          )}
        </CopyButton>
      </Group>
    </Stack>
  );
}

/** The history of an image; each layer's bar is as long as its part of the whole. */
function Layers({ history }: { history: ImageDetails['History'] }) {
  const whole = Math.max(
    1,
    history.reduce((sum, it) => sum + (it.SizeInBytes ?? 0), 0),
  );
  return (
    <Card withBorder>
      <Title order={2} size="h5" mb="xs">
        Layers
      </Title>
      <WideTable label="Layers" minWidth={520}>
        <Table verticalSpacing={6}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Instruction</Table.Th>
              <Table.Th w="26%">Part of the whole</Table.Th>
              <Table.Th ta="end" w={110}>
                Size
              </Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {history.map((it, n) => (
              <Table.Tr key={n}>
                <Table.Td>
                  <Text
                    size="sm"
                    ff="monospace"
                    lineClamp={2}
                    title={it.Instruction}
                    style={{ overflowWrap: 'anywhere' }}
                  >
                    {it.Instruction === '' ? '(not said)' : it.Instruction}
                  </Text>
                </Table.Td>
                <Table.Td>
                  {it.SizeInBytes !== undefined && (
                    <span className={classes['track']} title={it.Digest}>
                      <span style={{ width: `max(2px, ${(100 * it.SizeInBytes) / whole}%)` }} />
                    </span>
                  )}
                </Table.Td>
                <Table.Td ta="end" title={it.Compression && `compression: ${it.Compression}`}>
                  {it.SizeInBytes === undefined ? 'no layer' : bytes(it.SizeInBytes)}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </WideTable>
    </Card>
  );
}
