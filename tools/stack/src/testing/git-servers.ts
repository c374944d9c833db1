import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { freePort, startProcess } from '../processes.ts';

/** Git's own servers on loopback, over the repositories of one folder. */
export interface GitServers {
  /** `127.0.0.1:PORT`; what is below `private/` wants a name and a password. */
  httpHost: string;
  sshHost: string;
  /** What ssh logs in with, and what the server shows, as `ssh-keyscan` prints it. */
  keyFile: string;
  knownHostsFile: string;
  /** Makes a repository, `team/app.git`, and commits these files; again, to what is there. @returns the commit */
  commit(repository: string, files: Record<string, string>, options?: { branch?: string; tag?: string }): string;
  /** Runs git in the work tree of a repository. */
  git(repository: string, ...args: string[]): string;
  /** What was asked of the HTTP server. */
  asked: string[];
  /** Keeps a file as git LFS does. @returns what stands in the repository for it */
  addLfs(content: string): string;
  close(): Promise<void>;
}

export const gitUser = { username: 'reader', password: 'a good password' };

/** Answers git LFS's batch API, and gives its files (git-lfs, docs/api/batch.md). */
async function answerLfs(files: ReadonlyMap<string, string>, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const [, oid] = /^\/lfs-files\/([0-9a-f]{64})$/.exec(req.url ?? '') ?? [];
  if (oid !== undefined) return void res.end(files.get(oid));
  const { objects } = (await json(req)) as { objects: { oid: string; size: number }[] };
  const answers = objects.map((it) =>
    files.has(it.oid)
      ? { ...it, actions: { download: { href: `http://${req.headers.host}/lfs-files/${it.oid}` } } }
      : { ...it, error: { code: 404, message: 'no such object' } },
  );
  res.writeHead(200, { 'content-type': 'application/vnd.git-lfs+json' });
  res.end(JSON.stringify({ transfer: 'basic', objects: answers }));
}

/** Answers by `git http-backend`, as CGI has it (RFC 3875). */
function answerByCgi(root: string, req: IncomingMessage, res: ServerResponse): void {
  const url = new URL(req.url ?? '/', 'http://git');
  const backend = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env['PATH'],
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: url.pathname,
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: req.method,
      CONTENT_TYPE: req.headers['content-type'] ?? '',
      HTTP_CONTENT_ENCODING: req.headers['content-encoding'] ?? '',
      REMOTE_ADDR: '127.0.0.1',
    },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  backend.stdin.on('error', () => undefined);
  req.pipe(backend.stdin);
  let head = Buffer.alloc(0);
  backend.stdout.on('data', (bytes: Buffer) => {
    if (res.headersSent) return void res.write(bytes);
    head = Buffer.concat([head, bytes]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    const lines = head.toString('latin1', 0, end).split('\r\n');
    const headers = Object.fromEntries(lines.map((it) => it.split(/:\s*/, 2) as [string, string]));
    const status = Number(headers['Status']?.slice(0, 3) ?? 200);
    delete headers['Status'];
    res.writeHead(status, headers);
    res.write(head.subarray(end + 4));
  });
  backend.on('close', () => res.end());
}

/** @param dir for the repositories and the servers' files */
export async function startGitServers(dir: string): Promise<GitServers> {
  const root = join(dir, 'repositories');
  mkdirSync(root, { recursive: true });
  const asked: string[] = [];
  const lfs = new Map<string, string>();
  const wanted = `Basic ${Buffer.from(`${gitUser.username}:${gitUser.password}`).toString('base64')}`;
  const server = createServer((req, res) => {
    asked.push(`${req.method} ${req.url}`);
    if (req.url?.startsWith('/private/') && req.headers.authorization !== wanted)
      return void res.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
    if (/\/info\/lfs\/objects\/batch$|^\/lfs-files\//.test(req.url ?? '')) return void answerLfs(lfs, req, res);
    answerByCgi(root, req, res);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const httpPort = (server.address() as AddressInfo).port;

  const [keyFile, hostKeyFile] = [join(dir, 'key'), join(dir, 'host-key')];
  for (const it of [keyFile, hostKeyFile])
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', it], { stdio: 'ignore' });
  const sshPort = await freePort();
  const settings = join(dir, 'sshd_config');
  writeFileSync(
    settings,
    `Port ${sshPort}\nListenAddress 127.0.0.1\nHostKey ${hostKeyFile}\nAuthorizedKeysFile ${keyFile}.pub\nStrictModes no
UsePAM no\nPermitRootLogin prohibit-password\nPasswordAuthentication no\nPidFile none\n`,
  );
  mkdirSync('/run/sshd', { recursive: true });
  mkdirSync(join(dir, 'logs'), { recursive: true });
  const sshd = startProcess(dir, 'sshd', ['/usr/sbin/sshd', '-D', '-e', '-f', settings]);
  const sshHost = `127.0.0.1:${sshPort}`;
  const knownHostsFile = join(dir, 'known-hosts');
  writeFileSync(knownHostsFile, `[127.0.0.1]:${sshPort} ${readFileSync(`${hostKeyFile}.pub`, 'utf8')}`);

  const treeOf = (repository: string) => join(dir, 'trees', repository);
  const git = (repository: string, ...args: string[]): string =>
    execFileSync(
      'git',
      ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.com', '-c', 'protocol.file.allow=always', ...args],
      {
        cwd: treeOf(repository),
        env: { PATH: process.env['PATH'], HOME: dir, GIT_CONFIG_NOSYSTEM: '1', GIT_CEILING_DIRECTORIES: dir },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    )
      .toString()
      .trim();
  return {
    httpHost: `127.0.0.1:${httpPort}`,
    sshHost,
    keyFile,
    knownHostsFile,
    git,
    commit(repository, files, { branch = 'main', tag } = {}) {
      const tree = treeOf(repository);
      mkdirSync(tree, { recursive: true });
      const bare = join(root, repository);
      if (!existsSync(join(tree, '.git'))) {
        execFileSync('git', ['init', '-q', '--bare', '-b', 'main', bare]);
        git(repository, 'init', '-q', '-b', 'main');
        git(repository, 'remote', 'add', 'origin', bare);
      }
      git(repository, 'checkout', '-q', '-B', branch);
      for (const [name, content] of Object.entries(files)) {
        mkdirSync(join(tree, name, '..'), { recursive: true });
        writeFileSync(join(tree, name), content);
      }
      git(repository, 'add', '-A');
      git(repository, 'commit', '-q', '--allow-empty', '-m', `change ${Object.keys(files).join(' ')}`);
      if (tag !== undefined) git(repository, 'tag', '-a', tag, '-m', tag);
      git(repository, 'push', '-q', '--force', '--tags', 'origin', branch);
      return git(repository, 'rev-parse', 'HEAD');
    },
    asked,
    addLfs(content) {
      const oid = createHash('sha256').update(content).digest('hex');
      lfs.set(oid, content);
      return `version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize ${Buffer.byteLength(content)}\n`;
    },
    async close() {
      await sshd.stop();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
