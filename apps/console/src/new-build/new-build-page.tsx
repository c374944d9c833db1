import { Alert, Anchor, Button, Card, Grid, Stack, Text } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { type FormEvent, lazy, Suspense, useEffect, useState } from 'react';
import { Link, useLocation, useSearchParams } from 'wouter';
import { answer, api, ApiError } from '../api/api-client.ts';
import { buildQuery } from '../api/build.ts';
import { type Build, requestOf } from '../api/replies.ts';
import { Page, useTitle } from '../components/page.tsx';
import { Empty, Failed, Loading } from '../components/page-state.tsx';
import { isAtLeast, useSession } from '../session/session.ts';
import { FilesField } from './files-field.tsx';
import { HowFields } from './how-fields.tsx';
import { ImageFields } from './image-fields.tsx';
import { Findings, useLint } from './lint.tsx';
import {
  bodyOf,
  draftFrom,
  type Draft,
  emptyDraft,
  forgetDraft,
  keepDraft,
  keptDraft,
  newClientToken,
  readArguments,
} from './draft.ts';

const DockerfileEditor = lazy(() => import('./dockerfile-editor.tsx'));

export default function NewBuildPage() {
  useTitle('New build');
  const session = useSession();
  const [search] = useSearchParams();
  const from = search.get('from');
  const earlier = useQuery({
    ...buildQuery(from ?? ''),
    enabled: from !== null,
    staleTime: Infinity,
  });
  if (!isAtLeast(session, 'developer'))
    return <Empty title="Your role cannot build">Ask an admin of {session.Account} for the role developer.</Empty>;
  if (from !== null && earlier.isPending) return <Loading rows={6} height={56} />;
  if (from !== null && !earlier.data) return <Failed error={earlier.error} again={() => void earlier.refetch()} />;
  const draft = earlier.data ? draftFrom(requestOf(earlier.data), session) : emptyDraft(session);
  return <BuildForm key={from} start={draft} from={earlier.data} />;
}

function BuildForm({ start, from }: { start: Draft; from: Build | undefined }) {
  const session = useSession();
  const [, go] = useLocation();
  const [draft, setDraft] = useState(() => keptDraft(from?.ImageBuildId, start) ?? start);
  useEffect(() => keepDraft(from?.ImageBuildId, draft), [from, draft]);
  // One for each form: what is sent twice is built once.
  const [clientToken, setClientToken] = useState(newClientToken);
  const set = (change: Partial<Draft>) => setDraft((old) => ({ ...old, ...change }));
  const hasFiles = draft.files.kind !== 'none';
  const lint = useLint(draft.dockerfile, hasFiles);
  // The editor has its text to itself; another text is another editor.
  const [isSending, setSending] = useState(false);
  const [edition, setEdition] = useState(0);
  const host = session.Registries.find((it) => it.InstanceId === draft.registry)?.Host ?? '';
  const submit = useMutation({
    mutationFn: () =>
      answer(
        api.POST('/api/v1/imagebuilds', {
          params: { query: { ClientToken: clientToken, Lane: draft.lane } },
          body: bodyOf(draft, host, from && requestOf(from)),
        }),
      ),
    onSuccess({ ImageBuildId }) {
      forgetDraft(from?.ImageBuildId);
      go(`/builds/${ImageBuildId}`);
    },
    // An answer that was lost may have been a yes: sent again, it is the same build.
    onError: (error) => error instanceof ApiError && error.status < 500 && setClientToken(newClientToken()),
  });
  const onSubmit = (event: FormEvent) => {
    event.preventDefault();
    submit.mutate();
  };
  const credentials = (from && requestOf(from).BuildConfig?.RegistryAuthHosts) ?? [];
  const isRead = draft.dockerfile.trim() !== '';
  const refused = isRead && (lint.data?.Findings.some((it) => it.Severity === 'error') ?? false);
  const missing = !isRead && !hasFiles;
  const button = (
    <>
      {refused && <Text size="sm">Mend the Dockerfile first.</Text>}
      {missing && <Text size="sm">Write a Dockerfile, or give files with one.</Text>}
      <Button
        type="submit"
        form="new-build"
        loading={submit.isPending}
        disabled={refused || missing || isSending || !readArguments(draft.buildArgs)}
      >
        Build
      </Button>
    </>
  );
  return (
    <Page title="New build" actions={button}>
      <form id="new-build" onSubmit={onSubmit}>
        <Stack gap="md">
          {submit.error && (
            <Alert color="red" variant="light" role="alert" title="It was not taken">
              {submit.error.message}
            </Alert>
          )}
          {from && (
            <Text size="sm">
              Begun from{' '}
              <Anchor component={Link} href={`/builds/${from.ImageBuildId}`} underline="always">
                {from.ImageName}
              </Anchor>
              {from.Error && `, which failed: ${from.Error.Cause ?? from.Error.Message}`}
            </Text>
          )}
          {credentials.length > 0 && (
            <Alert color="yellow" variant="light" title="Its credentials are not taken along">
              The earlier request brought credentials for {credentials.join(', ')}. They are sealed; a rerun has them,
              this has not.
            </Alert>
          )}
          <Grid gap="lg">
            <Grid.Col span={{ base: 12, lg: 8 }}>
              <Card withBorder>
                <Stack gap="md">
                  <FilesField
                    files={draft.files}
                    onChange={(files) => set({ files })}
                    isSending={isSending}
                    onSending={setSending}
                    onDockerfile={(dockerfile) => {
                      set({ dockerfile });
                      setEdition((it) => it + 1);
                    }}
                  />
                  <div>
                    <Text component="label" id="dockerfile-label" fw={500} size="sm" mb={4}>
                      Dockerfile
                    </Text>
                    <Suspense fallback={<Loading rows={1} height={380} />}>
                      <DockerfileEditor
                        key={edition}
                        label="Dockerfile"
                        value={draft.dockerfile}
                        onChange={(dockerfile) => set({ dockerfile })}
                        findings={isRead ? (lint.data?.Findings ?? []) : []}
                        {...(from?.Error?.FirstLine === undefined
                          ? {}
                          : { marked: [from.Error.FirstLine, from.Error.LastLine ?? from.Error.FirstLine] as const })}
                      />
                    </Suspense>
                    <Findings lint={isRead ? lint.data : undefined} />
                  </div>
                </Stack>
              </Card>
            </Grid.Col>
            <Grid.Col span={{ base: 12, lg: 4 }}>
              <ImageFields draft={draft} set={set} />
              <HowFields draft={draft} set={set} />
            </Grid.Col>
          </Grid>
        </Stack>
      </form>
    </Page>
  );
}
