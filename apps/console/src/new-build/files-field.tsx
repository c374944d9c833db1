import {
  Alert, Button, Checkbox, FileButton, Group, Progress, SegmentedControl, Stack, Text, TextInput,
} from '@mantine/core'; // prettier-ignore
import { useMutation } from '@tanstack/react-query';
import { type DragEvent, useState } from 'react';
import { uploadContext } from '../api/upload.ts';
import { bytes } from '../components/format.ts';
import type { Files } from './draft.ts';
import { chosenFolder, dropped, type Folder } from './folder.ts';
import { tarOf } from './tar.ts';

const kinds = [
  { value: 'none', label: 'None' },
  { value: 'upload', label: 'Folder or archive' },
  { value: 'git', label: 'Git repository' },
] as const;
type Kind = (typeof kinds)[number]['value'];

const emptyGit: Files = { kind: 'git', url: '', ref: '', subPath: '', submodules: false, lfs: false };

interface FilesProps {
  files: Files;
  onChange: (files: Files) => void;
  /** Told of the Dockerfile in a folder that was given. */
  onDockerfile: (text: string) => void;
  /** Told when files begin to be sent, and when they are there or refused. */
  onSending: (isSending: boolean) => void;
}

/** Where COPY and ADD read from: nothing, a folder or archive that is given here, or a repository. */
export function FilesField({ isSending, ...props }: FilesProps & { isSending: boolean }) {
  const { files, onChange } = props;
  const [kind, setKind] = useState<Kind>(files.kind);
  const choose = (chosen: Kind) => {
    setKind(chosen);
    if (chosen === 'none') onChange({ kind: 'none' });
    if (chosen === 'git' && files.kind !== 'git') onChange(emptyGit);
    if (chosen === 'upload' && files.kind === 'git') onChange({ kind: 'none' });
  };
  return (
    <Stack gap="xs">
      <Group gap="sm">
        <Text size="sm" fw={500} id="files-label">
          Files to copy
        </Text>
        <SegmentedControl
          size="xs"
          aria-labelledby="files-label"
          data={[...kinds]}
          disabled={isSending}
          value={kind}
          onChange={(it) => choose(it)}
        />
      </Group>
      {kind === 'upload' && <Upload {...props} />}
      {kind === 'git' && files.kind === 'git' && <GitFields files={files} onChange={onChange} />}
    </Stack>
  );
}

function GitFields({ files, onChange }: { files: Extract<Files, { kind: 'git' }>; onChange: (files: Files) => void }) {
  const set = (change: Partial<typeof files>) => onChange({ ...files, ...change });
  return (
    <Stack gap="xs">
      <TextInput
        label="Address"
        placeholder="https://git.example.com/team/app.git"
        required
        value={files.url}
        onChange={(event) => set({ url: event.currentTarget.value })}
      />
      <Group grow>
        <TextInput
          label="Branch, tag or commit"
          placeholder="the default branch"
          value={files.ref}
          onChange={(event) => set({ ref: event.currentTarget.value })}
        />
        <TextInput
          label="Folder"
          placeholder="all of it"
          value={files.subPath}
          onChange={(event) => set({ subPath: event.currentTarget.value })}
        />
      </Group>
      <Group>
        <Checkbox
          label="Submodules"
          checked={files.submodules}
          onChange={(event) => set({ submodules: event.currentTarget.checked })}
        />
        <Checkbox
          label="Files of git LFS"
          checked={files.lfs}
          onChange={(event) => set({ lfs: event.currentTarget.checked })}
        />
        <Text size="sm" c="dimmed">
          An empty editor takes the Dockerfile of the repository.
        </Text>
      </Group>
    </Stack>
  );
}

const describe = ({ name, files, bytes: size, leftOut, ignoreFile }: Folder): string =>
  `${name}: ${files.length === 1 ? '1 file' : `${files.length} files`}, ${bytes(size)}${
    leftOut > 0 ? `; ${ignoreFile} leaves out ${leftOut}` : ''
  }`;

function Upload({ files, onChange, onDockerfile, onSending }: FilesProps) {
  const [share, setShare] = useState(0);
  const [isOver, setIsOver] = useState(false);
  const send = useMutation({
    onMutate: () => onSending(true),
    onSettled: () => onSending(false),
    async mutationFn(given: Promise<Folder | File | undefined>) {
      setShare(0);
      const found = await given;
      if (!found) return;
      const isFolder = 'files' in found;
      if (isFolder && found.files.length === 0) throw new Error(`${found.name} has no files`);
      const { Id, Files: count, Bytes } = await uploadContext(isFolder ? tarOf(found.files) : found, setShare);
      const label = isFolder ? describe(found) : `${found.name}: ${count} files and folders, ${bytes(Bytes)}`;
      onChange({ kind: 'upload', id: Id, label });
      if (isFolder && found.dockerfile !== undefined) onDockerfile(found.dockerfile);
    },
  });
  const onDrop = (event: DragEvent) => {
    event.preventDefault();
    setIsOver(false);
    send.mutate(dropped(event.dataTransfer.items));
  };
  return (
    <Stack gap="xs">
      <div
        role="group"
        aria-label="Drop a folder or an archive here"
        onDragOver={(event) => {
          event.preventDefault();
          setIsOver(true);
        }}
        onDragLeave={() => setIsOver(false)}
        onDrop={onDrop}
        style={{
          border: `1px dashed ${isOver ? 'var(--mantine-primary-color-filled)' : 'var(--kiln-line)'}`,
          background: isOver ? 'var(--kiln-soft)' : undefined,
          borderRadius: 6,
          padding: 12,
        }}
      >
        <Group justify="space-between" gap="xs">
          <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
            {files.kind === 'upload' ? files.label : 'Drop a folder or an archive (tar, tar.gz, tar.zst) here'}
          </Text>
          <Group gap="xs">
            <Button component="label" variant="default" size="compact-sm" loading={send.isPending}>
              Choose a folder
              <input
                type="file"
                hidden
                aria-label="Folder"
                ref={(it) => it?.setAttribute('webkitdirectory', '')}
                onChange={({ currentTarget }) =>
                  currentTarget.files?.length && send.mutate(chosenFolder(currentTarget.files))
                }
              />
            </Button>
            <FileButton
              accept=".tar,.tgz,.gz,.zst"
              inputProps={{ 'aria-label': 'Archive' }}
              onChange={(it) => it && send.mutate(Promise.resolve(it))}
            >
              {(props) => (
                <Button {...props} variant="default" size="compact-sm" loading={send.isPending}>
                  Choose an archive
                </Button>
              )}
            </FileButton>
          </Group>
        </Group>
        {send.isPending && <Progress mt="xs" value={share * 100} aria-label="Sent" />}
      </div>
      {send.error && (
        <Alert color="red" variant="light" role="alert" title="The files were not taken">
          <span style={{ whiteSpace: 'pre-wrap' }}>{send.error.message}</span>
        </Alert>
      )}
    </Stack>
  );
}
