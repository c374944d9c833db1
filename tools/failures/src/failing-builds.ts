/** A build that fails, and what its failure is to be called. */
export interface FailingBuild {
  reason: string;
  /** Lines of the Dockerfile; `FROM` the Debian base comes first where none is there. */
  dockerfile: string[];
  /** Parts of the request that are not the usual ones. */
  resource?: Record<string, unknown>;
  /** Reference of the base, with `$host` for the registry and `$private` for the one that wants credentials. */
  from?: string;
  /** From here on, the registry that wants credentials may be spoken to without TLS. */
  trusted?: true;
}

const run = (...commands: string[]): string[] => commands.map((it) => `RUN ${it}`);
const install = (packages: string): string =>
  `apt-get update -q && apt-get install -yq --no-install-recommends ${packages}`;
const withPython = install('python3-minimal python3-pip');
const withCompiler = install('gcc libc6-dev make');
const withDownloads = install('curl ca-certificates git');
const wheel = (name: string, version: string, needs = ''): string =>
  `mkdir -p /w && cd /w && python3 -c "import zipfile; z = zipfile.ZipFile('${name}-${version}-py3-none-any.whl', 'w'); d = '${name}-${version}.dist-info/'; z.writestr(d + 'METADATA', 'Metadata-Version: 2.1\\nName: ${name}\\nVersion: ${version}\\n${needs}'); z.writestr(d + 'WHEEL', 'Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n'); z.writestr(d + 'RECORD', '')"`;

/** Failures as people meet them; the Debian ones share the layers of their first steps. */
export const failingBuilds: FailingBuild[] = [
  { reason: 'PackageListsMissing', dockerfile: run('rm -rf /var/lib/apt/lists/* && apt-get install -y curl') },
  { reason: 'PackageNotFound', dockerfile: run('apt-get update -q && apt-get install -y libcudnn8') },
  { reason: 'PackageVersionNotFound', dockerfile: run('apt-get update -q && apt-get install -y hello=1.0-1') },
  { reason: 'PackageManagerLocked', dockerfile: run('apt-get update -q && (apt-get install -yq gcc & sleep 1; apt-get install -yq hello)') },
  { reason: 'RepositoryNotSigned', dockerfile: run('sed "s/^deb /deb [signed-by=\\/nowhere.gpg] /" -i /etc/apt/sources.list; cat /etc/apt/sources.list; apt-get update') },
  { reason: 'RepositoryMissing', dockerfile: run('sed "s/trixie/nosuchrelease/" -i /etc/apt/sources.list; apt-get update') },
  { reason: 'PackageFileMissing', dockerfile: run('apt-get update -q && sed -i "s/hello_[0-9.-]*_amd64/hello_0.0-0_amd64/" /var/lib/apt/lists/*Packages && apt-get install -y hello', 'true') },
  { reason: 'ConfirmationMissing', dockerfile: run('apt-get update -q && apt-get install curl') },
  { reason: 'PackageScriptFailed', dockerfile: run('mkdir -p /p/DEBIAN && printf "Package: broken\\nVersion: 1\\nArchitecture: all\\nMaintainer: a <a@b.c>\\nDescription: x\\n" > /p/DEBIAN/control && printf "#!/bin/sh\\nexit 1\\n" > /p/DEBIAN/postinst && chmod 755 /p/DEBIAN/postinst && dpkg-deb -b /p /p.deb && dpkg -i /p.deb') },
  { reason: 'DependenciesUnmet', dockerfile: run('mkdir -p /p/DEBIAN && printf "Package: needy\\nVersion: 1\\nArchitecture: all\\nDepends: nosuchthing (>= 9)\\nMaintainer: a <a@b.c>\\nDescription: x\\n" > /p/DEBIAN/control && dpkg-deb -b /p /p.deb && apt-get install -y /p.deb') },
  { reason: 'EnvironmentManaged', dockerfile: run(withPython, 'pip install torch') },
  { reason: 'DistributionNotFound', dockerfile: run(withPython, 'pip install --break-system-packages --no-index torch==99') },
  { reason: 'RequirementsMissing', dockerfile: run(withPython, 'pip install --break-system-packages -r requirements.txt') },
  { reason: 'VersionConflict', dockerfile: run(withPython, [wheel('core', '1.0'), wheel('core', '2.0'), wheel('one', '1.0', 'Requires-Dist: core==1.0\\n'), wheel('two', '1.0', 'Requires-Dist: core==2.0\\n')].join(' && '), 'pip install --break-system-packages --no-index --find-links /w one two') },
  { reason: 'ManifestFileMissing', dockerfile: run(withPython, 'cd /opt && pip install --break-system-packages --no-index .') },
  { reason: 'ModuleMissing', dockerfile: run(withPython, 'python3 -c "import torch"') },
  { reason: 'PythonError', dockerfile: run(withPython, 'python3 -c "print(\'cuda\' + 1)"') },
  { reason: 'CompilerMissing', dockerfile: run('gcc -o /x /x.c') },
  { reason: 'HeaderMissing', dockerfile: run(withCompiler, 'echo "#include <Python.h>" > /a.c && gcc -c /a.c') },
  { reason: 'LibraryMissing', dockerfile: run(withCompiler, 'echo "int main() { return 0; }" > /a.c && gcc /a.c -lcudart') },
  { reason: 'CompilationFailed', dockerfile: run(withCompiler, 'echo "int main() { return x; }" > /a.c && gcc /a.c') },
  { reason: 'NothingToMake', dockerfile: run(withCompiler, 'cd /opt && make') },
  { reason: 'HostUnknown', dockerfile: run(withDownloads, 'curl -fsS https://no-such-host.invalid/file') },
  { reason: 'DownloadRefused', dockerfile: run(withDownloads, 'curl -fsSL "$(sed -n \'s/^deb \\(http[^ ]*\\).*/\\1/p\' /etc/apt/sources.list | head -1)/no/such/file.tar.gz" -o /x') },
  { reason: 'ArchiveBroken', dockerfile: run('echo "<html>not found</html>" > /x.tar.gz && tar -xzf /x.tar.gz') },
  { reason: 'RepositoryNotGit', dockerfile: run(withDownloads, 'cd /opt && git describe --tags') },
  { reason: 'NetworkRefused', dockerfile: run(withDownloads, 'curl -fsS --max-time 5 http://169.254.169.254/latest/meta-data') },
  { reason: 'FileNotInBuild', dockerfile: ['FROM scratch', 'COPY --from=0 /app/requirements.txt /app/'] },
  { reason: 'FileNotInBuild', dockerfile: ['ARG MODEL=model.tar.gz', 'ADD $MODEL /opt/'] },
  { reason: 'UserUnknown', dockerfile: ['USER trainer', 'RUN id'] },
  { reason: 'UserUnknown', dockerfile: run('mkdir /app && chown trainer /app') },
  { reason: 'NameTaken', dockerfile: run('useradd www-data') },
  { reason: 'NoShell', dockerfile: run('["/bin/zsh", "-c", "echo"]') },
  { reason: 'SudoMissing', dockerfile: run('sudo apt-get update') },
  { reason: 'ShellDialect', dockerfile: run('source /etc/profile') },
  { reason: 'ShellDialect', dockerfile: run('[[ -f /etc/passwd ]] && true') },
  { reason: 'LineEndings', dockerfile: run('printf "#!/bin/sh\\r\\necho hello\\r\\n" > /run.sh && chmod +x /run.sh && bash -c /run.sh') },
  { reason: 'OtherArchitecture', dockerfile: run('printf "\\177ELF\\002\\001\\001\\000\\000\\000\\000\\000\\000\\000\\000\\000\\002\\000\\267\\000" > /arm && chmod +x /arm && /arm') },
  { reason: 'VariableUnset', dockerfile: run('set -u; echo "$CUDA_VERSION"') },
  { reason: 'ShellSyntax', dockerfile: run('for x in a b; echo $x; done') },
  { reason: 'CommandNotFound', dockerfile: run('conda install -y pytorch') },
  { reason: 'PermissionDenied', dockerfile: ['USER nobody', 'RUN touch /opt/x'] },
  { reason: 'FileExists', dockerfile: run('mkdir /opt') },
  { reason: 'FileMissing', dockerfile: run('mv /build/out.bin /usr/local/bin/') },
  { reason: 'CommandNotFound', dockerfile: ['RUN <<EOF', 'set -e', 'conda install -y pytorch', 'EOF'] },
  { reason: 'CommandNotFound', from: '$host/kiln/debian:base AS one', dockerfile: ['ONBUILD RUN conda install -y pytorch', 'FROM one'] },
  { reason: 'CommandNotFound', dockerfile: run('pip install torch') },
  { reason: 'CommandNotFound', dockerfile: run('["conda", "install"]') },
  { reason: 'FileMissing', dockerfile: run('chmod +x /opt/entrypoint.sh') },
  { reason: 'FileMissing', dockerfile: run('cd /workspace && ls') },
  { reason: 'FileMissing', dockerfile: run(withPython, 'python3 /opt/setup.py') },
  { reason: 'FileMissing', dockerfile: run('dpkg -i /tmp/cuda.deb') },
  { reason: 'FileExists', dockerfile: run('ln -s /opt /etc/passwd') },
  { reason: 'DownloadRefused', dockerfile: run(withDownloads, 'git clone http://deb.debian.org/no/such.git /opt/src') },
  { reason: 'FileNotInBuild', from: '$host/kiln/debian:base AS one', dockerfile: ['FROM one', 'RUN --mount=from=one,source=/wheels,target=/w pip install /w/*'] },
  { reason: 'SyntaxError', dockerfile: ['EXPOSE eighty'] },
  { reason: 'SyntaxError', dockerfile: ['HEALTHCHECK --every=5m CMD true'] },
  { reason: 'SyntaxError', dockerfile: ['SHELL /bin/bash -c'] },
  { reason: 'SyntaxError', dockerfile: ['FROM scratch', 'COPY --from=0 --chwn=1 /etc/passwd /x'] },
  { reason: 'SyntaxError', dockerfile: ['RUN --mount=type=cache pip install torch'] },
  { reason: 'Killed', dockerfile: run('sh -c \'kill -9 $$\'') },
  { reason: 'Crashed', dockerfile: run('sh -c \'kill -11 $$\'') },
  { reason: 'OutOfMemory', dockerfile: run('perl -e \'my $x = "a" x (600 * 1024 * 1024); print length $x\''), resource: { ResourceConfig: { CPU: '1', Memory: '256Mi' } } },
  { reason: 'DiskFull', dockerfile: run('dd if=/dev/zero of=/big bs=1M count=4000'), resource: { EcsSpec: 'small-disk' } },
  { reason: 'TooManyProcesses', dockerfile: run('for n in $(seq 1 400); do sleep 5 & done; wait'), resource: { EcsSpec: 'few-processes' } },
  { reason: 'RanTooLong', dockerfile: run('sleep 60'), resource: { EcsSpec: 'short' } },
  { reason: 'BaseImageMissing', from: '$host/kiln/debian:no-such-tag', dockerfile: run('true') },
  { reason: 'RegistryPlainHttp', from: '$private/kiln/debian:base', dockerfile: run('true') },
  { reason: 'BaseImageDenied', from: '$private/kiln/debian:base', trusted: true, dockerfile: run('true') },
  { reason: 'RegistryClosed', from: '10.1.2.3:5000/kiln/debian:base', dockerfile: run('true') },
]; // prettier-ignore

/** What those that meet a limit are given. */
export const platform = {
  resources: {
    'small-disk': { CPU: '2', Memory: '1Gi', Disk: '512Mi' },
    'few-processes': { CPU: '2', Memory: '1Gi', Pids: 64 },
    short: { CPU: '2', Memory: '1Gi', Seconds: 5 },
  },
};
