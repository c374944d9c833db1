import {
  Alert, Anchor, Button, Card, Checkbox, Fieldset, Grid, Group, Select, Stack, Text, TextInput,
} from '@mantine/core'; // prettier-ignore
import { useMutation, useQuery } from '@tanstack/react-query';
import { type FormEvent, lazy, Suspense, useEffect, useState } from 'react';
import { Link, useLocation, useSearchParams } from 'wouter';
import { answer, api, ApiError } from '../api/api-client.ts';
import { buildQuery } from '../api/build.ts';
import { type Build, requestOf } from '../api/replies.ts';
import { Page, useTitle } from '../components/page.tsx';
import { Empty, Failed, Loading } from '../components/page-state.tsx';
import { isAtLeast, useSession } from '../session/session.ts';
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
  const [draft, setDraft] = useState(() => keptDraft(from?.ImageBuildId) ?? start);
  useEffect(() => keepDraft(from?.ImageBuildId, draft), [from, draft]);
  // One for each form: what is sent twice is built once.
  const [clientToken, setClientToken] = useState(newClientToken);
  const set = (change: Partial<Draft>) => setDraft((old) => ({ ...old, ...change }));
  const lint = useLint(draft.dockerfile);
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
  const refused = lint.data?.Findings.some((it) => it.Severity === 'error') ?? false;
  return (
    <Page title="New build">
      <form onSubmit={onSubmit}>
        <Stack gap="lg">
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
                <Text component="label" id="dockerfile-label" fw={500} size="sm" mb={4}>
                  Dockerfile
                </Text>
                <Suspense fallback={<Loading rows={1} height={380} />}>
                  <DockerfileEditor
                    label="Dockerfile"
                    value={draft.dockerfile}
                    onChange={(dockerfile) => set({ dockerfile })}
                    findings={lint.data?.Findings ?? []}
                    {...(from?.Error?.FirstLine === undefined
                      ? {}
                      : { marked: [from.Error.FirstLine, from.Error.LastLine ?? from.Error.FirstLine] as const })}
                  />
                </Suspense>
                <Findings lint={lint.data} />
              </Card>
            </Grid.Col>
            <Grid.Col span={{ base: 12, lg: 4 }}>
              <Fieldset legend="Image">
                <Stack gap="sm">
                  <TextInput
                    label="Name"
                    description="Unique among the workspace’s images"
                    required
                    value={draft.name}
                    onChange={(event) => set({ name: event.currentTarget.value })}
                  />
                  <Select
                    label="Registry"
                    required
                    allowDeselect={false}
                    data={session.Registries.map((it) => ({
                      value: it.InstanceId,
                      label: `${it.InstanceId} (${it.Host})`,
                    }))}
                    value={draft.registry}
                    onChange={(registry) => set({ registry: registry ?? '' })}
                  />
                  <TextInput
                    label="Repository and tag"
                    description={`${host}/…`}
                    placeholder="team/app:v1"
                    required
                    value={draft.path}
                    onChange={(event) => set({ path: event.currentTarget.value })}
                  />
                  <Select
                    label="Workspace"
                    required
                    allowDeselect={false}
                    data={session.Workspaces.map((it) => ({ value: it.WorkspaceId, label: it.Name }))}
                    value={draft.workspace}
                    onChange={(workspace) => set({ workspace: workspace ?? '' })}
                  />
                  <Checkbox
                    label="Public in the workspace"
                    checked={draft.isPublic}
                    onChange={(event) => set({ isPublic: event.currentTarget.checked })}
                  />
                  <Checkbox
                    label="Move the tag when it exists"
                    checked={draft.overwrite}
                    onChange={(event) => set({ overwrite: event.currentTarget.checked })}
                  />
                </Stack>
              </Fieldset>
              <Fieldset legend="How" mt="md">
                <Stack gap="sm">
                  <TextInput
                    label="Resource class"
                    description="What the build may use, as ecs.c6.large; the default when left empty"
                    value={draft.spec}
                    onChange={(event) => set({ spec: event.currentTarget.value })}
                  />
                  <Select
                    label="Lane"
                    allowDeselect={false}
                    data={['interactive', 'normal', 'bulk']}
                    value={draft.lane}
                    onChange={(lane) => set({ lane: lane ?? 'normal' })}
                  />
                </Stack>
              </Fieldset>
            </Grid.Col>
          </Grid>
          {submit.error && (
            <Alert color="red" variant="light" role="alert" title="It was not taken">
              {submit.error.message}
            </Alert>
          )}
          <Group>
            <Button type="submit" loading={submit.isPending} disabled={refused}>
              Build
            </Button>
            {refused && <Text size="sm">Mend the Dockerfile first.</Text>}
          </Group>
        </Stack>
      </form>
    </Page>
  );
}
