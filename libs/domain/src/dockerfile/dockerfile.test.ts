import { Fault } from '../errors/fault.ts';
import { parseDockerfile } from './dockerfile.ts';
import { requirePackageInstallation } from './package-installation.ts';

const failure = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof Fault) return `${error.code} ${error.message}`;
    throw error;
  }
  return 'accepted';
};

describe('parseDockerfile', () => {
  it('numbers stages, steps and lines', () => {
    const { steps, images } = parseDockerfile(
      'ARG V=12\nFROM debian:$V AS a\nRUN x && \\\n  # why\n  y\nFROM scratch\nCOPY --from=a /x /x\nCOPY --from=busybox:1 /b /b\n',
    );
    expect(steps.map(({ keyword, stage, index, lines }) => [keyword, stage, index, lines])).toEqual([
      ['ARG', 0, 0, [1, 1]],
      ['FROM', 1, 1, [2, 2]],
      ['RUN', 1, 2, [3, 5]],
      ['FROM', 2, 1, [6, 6]],
      ['COPY', 2, 2, [7, 7]],
      ['COPY', 2, 3, [8, 8]],
    ]);
    expect(images).toEqual(['debian:12', 'busybox:1']);
    expect(steps[2]?.text.replace(/\s+/g, ' ')).toBe('x && y');
  });

  it.each([
    ['', 'there is no FROM'],
    ['RUN x', 'line 1: RUN must come after FROM'],
    ['FROM a\nFRM x', 'line 2: unknown instruction FRM'],
    ['FROM a\n\nUSER', 'line 3: USER needs an argument'],
    ['ARG B=u\nFROM ${B:+oci:/etc}', 'line 2: "oci:/etc" is not an image in a registry'],
    ['ARG X=y\nFROM a\nRUN --mount=type=bind,from=$X,target=/m y', 'line 3: RUN --mount from must be literal'],
    ['# a\r# b\nFROM a', 'carriage return'],
    ['# syntax=evil/frontend\nFROM a', 'line 1: the frontend evil/frontend is not supported'],
    ['FROM a\nRUN --mount=type=secret,target=/ y', 'line 2: RUN --mount=type=secret needs an id'],
    ['FROM a\nRUN --mount=type=cache,from=oci:/etc,target=/x y', 'line 2: "oci:/etc" is not an image in a registry'],
    ['FROM a AS Oci:/x', 'line 1: "Oci:/x" is not a stage name'],
    ['FROM $X', 'line 1: FROM $X: the variable has no default'],
    ['FROM oci:/etc', 'line 1: "oci:/etc" is not an image in a registry'],
    ['FROM a\nCOPY --from=dir:/etc /x /x', 'line 2: "dir:/etc" is not an image in a registry'],
    ['FROM a\nRUN --network=host y', 'line 2: RUN --network=host is not allowed'],
    ['FROM a\nRUN --security=insecure y', 'line 2: RUN --security=insecure is not allowed'],
    ['FROM a\nRUN --device=nvidia.com/gpu=all y', 'line 2: RUN --device is not allowed'],
    ['FROM ${X:?missing}', 'line 1: X: missing'],
    [`FROM a\n${'RUN x\n'.repeat(501)}`, 'more than 500 instructions'],
  ])('refuses %j', (text, why) => {
    expect(failure(() => parseDockerfile(text))).toContain(why);
  });
});

describe('what BuildKit takes', () => {
  it.each([
    ['ARG A=1\nARG B=deb${A:+ian}\nFROM ${B}:${C:-${A}2}', ['debian:12']],
    ['ARG V=python:3.12-slim\nFROM ${V%-*} AS a\nFROM ${V#*:}x', ['3.12-slimx']],
    ['FROM --platform=$BUILDPLATFORM a-$TARGETARCH', ['a-amd64']],
    ['FROM a AS One\nFROM b AS two\nRUN x\nFROM ONE', ['a']],
    ['FROM a AS one\nFROM b AS two\nFROM c\nCOPY --from=1 /x /x', ['b', 'c']],
    ['FROM a\nRUN --mount=type=bind,from=tools:1,target=/t --mount="type=cache,target=/a b" x', ['a', 'tools:1']],
    ['# escape=`\nFROM a\nRUN x `\n y', ['a']],
    ['FROM a\nRUN <<EOF\nFROM b\nEOF\nCOPY <<"x" /x\nFROM c\nx', ['a']],
    ['FROM a\nRUN --mount=type=ssh --network=none git clone x', ['a']],
    ['\uFEFF# syntax=docker/dockerfile:1.7-labs\nFROM a\nCOPY --parents --from=b:1 /x /y', ['a', 'b:1']],
  ])('%j needs %j', (text, images) => {
    expect(parseDockerfile(text).images).toEqual(images);
  });

  it('builds the stage that is asked for, with the images and secrets of that alone', () => {
    const text = 'FROM a AS one\nRUN --mount=type=secret,id=s x\nFROM b AS two\nFROM one\n';
    expect(parseDockerfile(text, { target: 'two' })).toMatchObject({ images: ['b'], secrets: new Map() });
  });

  it.each([
    [
      'a descriptor',
      'RUN cat /dev/fd/3 3<<A 4<<"B C"\n1\nA\n2\nB C\nRUN x',
      [
        [2, 6],
        [7, 7],
      ],
    ],
    [
      'a trigger',
      'ONBUILD RUN <<E\nFROM x\nE\nRUN x',
      [
        [2, 4],
        [5, 5],
      ],
    ],
    [
      'tabs',
      'RUN <<-E\n\ta\n\t\tE\nRUN x',
      [
        [2, 4],
        [5, 5],
      ],
    ],
    [
      'a comment and an empty line within it',
      'RUN <<E\n# a\n\nE\nRUN x',
      [
        [2, 5],
        [6, 6],
      ],
    ],
    [
      'no here-document: a shift',
      'RUN echo $((1<<2)) "a <<b"\nRUN x',
      [
        [2, 2],
        [3, 3],
      ],
    ],
    [
      'an empty line in a continuation',
      'RUN a \\\n\n # c\n  b\nRUN x',
      [
        [2, 5],
        [6, 6],
      ],
    ],
    [
      'an escape that is escaped',
      'RUN a \\\\\nRUN x',
      [
        [2, 2],
        [3, 3],
      ],
    ],
  ])('finds the lines of an instruction with %s', (_what, text, lines) => {
    expect(
      parseDockerfile(`FROM a\n${text}\n`)
        .steps.slice(1)
        .map((it) => it.lines),
    ).toEqual(lines);
  });

  it('takes forty thousand lines of one instruction in no time', () => {
    const startedMs = performance.now();
    expect(parseDockerfile(`FROM a\nRUN ${'a && \\\n'.repeat(40_000)} b`).steps).toHaveLength(2);
    expect(performance.now() - startedMs).toBeLessThan(5000);
  });

  it('shows a here-document line by line', () => {
    const [, step] = parseDockerfile('FROM a\nRUN cat <<EOF && \\\n  true\nb\n# c\nEOF\n').steps;
    expect(step).toMatchObject({ text: 'cat <<EOF &&   true\nb\n# c\nEOF', lines: [2, 6] });
  });
});

describe('secrets', () => {
  it('lists those that steps mount, each with its first line', () => {
    const mount = 'RUN --mount=type=secret,id=npm,target=/root/.npmrc,mode=0400 npm ci';
    const { secrets } = parseDockerfile(
      `FROM a\n${mount}\nRUN x\n${mount}\nRUN --mount=type=secret,id=pip,required y\n`,
    );
    expect([...secrets]).toEqual([
      ['npm', { line: 2, required: false }],
      ['pip', { line: 5, required: true }],
    ]);
  });

  it.each([
    ['ARG NPM_TOKEN=abc', 'line 2: ARG NPM_TOKEN looks like a secret'],
    ['ENV A=b DB_PASSWORD="x y"', 'line 2: ENV DB_PASSWORD looks like a secret'],
    ['ENV KEY=AKIAABCDEFGHIJKLMNOP', 'line 2: ENV KEY looks like a secret'],
  ])('warns of %s', (step, why) => {
    expect(parseDockerfile(`FROM a\n${step}\n`).warnings).toEqual([expect.stringContaining(why)]);
  });

  it.each(['ARG NPM_TOKEN', 'ENV TOKENIZERS_PARALLELISM=false', 'ENV PATH=/bin', 'ENV PASSWORD=""'])(
    'says nothing of %s',
    (step) => {
      expect(parseDockerfile(`FROM a\n${step}\n`).warnings).toEqual([]);
    },
  );
});

describe('mistakes that people make', () => {
  const judge = (text: string, options = {}) => failure(() => parseDockerfile(text, options));

  it.each([
    ['FROM ubuntu:18.04 RUN pip3 install numpy==1.19.5', 'line 1: FROM ubuntu:18.04 and RUN stand on one line, as in the example of the cloud'],
    ['ARG A=1\nFROM x run y', 'line 2: FROM x and run stand on one line'],
    ['FROM x AS a b', 'line 1: FROM x AS a is followed by "b"'],
    ['FROM x AS', 'line 1: FROM x AS needs the name of the stage'],
    ['FROM --platform=linux/amd64 x as', 'line 1: FROM x AS needs the name of the stage'],
    ['FROM x # the base', 'line 1: FROM x is followed by a comment'],
    ['FROM x y', 'line 1: FROM x is followed by "y"'],
    ['FROM x\nENV ONLY', 'line 2: ENV ONLY has no value; write ENV ONLY=value'],
    ['FROM x\nLABEL foo', 'line 2: LABEL foo has no value'],
    ['FROM x\\nRUN make\\nCMD y', 'line 1: has \\n, a backslash and an n, where a line break is meant'],
    ['FROM x\nRUN true\nCOPY app.py /app/', 'line 3: COPY app.py is a file of the build context'],
    ['FROM x\nCOPY --chown=1:1 ["a b", "/app/"]', 'line 2: COPY a b is a file of the build context'],
    ['FROM x\nCOPY . .', 'line 2: COPY . is a file'],
    ['FROM x\nADD app.tar.gz /app/', 'line 2: ADD app.tar.gz is a file'],
    ['FROM x\nADD https://example.com/a b /app/', 'line 2: ADD b is a file'],
  ])('%j is refused with its line', (text, why) => {
    expect(judge(text)).toContain(`DockerfileInvalid BuildConfig.Dockerfile: ${why}`);
  }); // prettier-ignore

  it.each([
    'FROM x AS a\nCOPY --from=a /a /b',
    'FROM --platform=$BUILDPLATFORM x AS a',
    'FROM x\nENV A b\nENV A=b C="d e"\nLABEL a b\nLABEL a=b',
    'FROM x\nADD https://example.com/a.tgz /a\nADD ["https://example.com/b", "/b"]\nADD --chmod=755 http://e.com/c /c',
    'FROM x\nADD https://github.com/a/b.git#v1 /src',
    'FROM x\nARG URL=https://example.com/a\nADD $URL /a',
    "FROM x\nRUN printf 'FROM a\\nRUN b\\n' > /Dockerfile",
    'FROM x\nONBUILD COPY . /app',
  ])('%j is taken', (text) => {
    expect(judge(text)).toBe('accepted');
  });

  it('names stand for images and files that a request brings', () => {
    const text =
      'FROM a:1 AS x\nRUN true\nFROM docker.io/library/b AS y\nCOPY --from=files . /\nCOPY --from=X . /\nFROM y';
    const named = new Map([['x', undefined], ['files', undefined], ['b', 'registry.example.com/b:2']]); // prettier-ignore
    const { images, named: instead } = parseDockerfile(text, { named });
    expect({ images, instead: [...instead] }).toEqual({
      images: ['docker.io/library/b'],
      instead: [['docker.io/library/b', 'registry.example.com/b:2']],
    });
  });

  it('a stage is for the platform of the build, or for its own', () => {
    const { steps, platform } = parseDockerfile(
      'ARG OS=linux\nFROM --platform=$BUILDPLATFORM a\nFROM --platform=${OS}/riscv64 b\nFROM c',
      { builder: 'linux/amd64', platform: 'linux/arm64/v8' },
    );
    const of = steps.flatMap((it) => (it.keyword === 'FROM' ? [it.platform] : []));
    expect([platform, ...of]).toEqual(['linux/arm64', 'linux/amd64', 'linux/riscv64', 'linux/arm64']);
  });

  it('files are copied where there is a context', () => {
    expect(judge('FROM x\nCOPY . /app\nADD a.tgz /\n', { hasContext: true })).toBe('accepted');
  });
});

describe('PackageInstallation by the lenient rules', () => {
  const judge = (text: string) => failure(() => requirePackageInstallation(parseDockerfile(text), 'lenient'));

  it.each([
    'FROM a\nRUN curl -L http://x | sh && make -C /src install',
    'FROM a\nARG V=1\nENV A=b\nLABEL a=b\nUSER root\nWORKDIR /w\nSHELL ["/bin/bash", "-c"]\nEXPOSE 80\nCMD ["x"]',
  ])('takes %j', (text) => {
    expect(judge(text)).toBe('accepted');
  });

  it.each([
    ['FROM a AS b\nFROM c', 'line 2: only one FROM'],
    ['FROM a\nENTRYPOINT ["x"]', 'line 2: ENTRYPOINT is not allowed'],
    ['FROM a\nVOLUME /x', 'line 2: VOLUME is not allowed'],
    ['FROM a\nADD https://example.com/a /a', 'line 2: ADD is not allowed'],
  ])('refuses %j', (text, why) => {
    expect(judge(text)).toContain(why);
  });
});

describe('PackageInstallation by the strict rules', () => {
  const judge = (text: string) => failure(() => requirePackageInstallation(parseDockerfile(text), 'strict'));

  it.each([
    'FROM debian:12\nRUN apt-get update && apt-get install -y --no-install-recommends curl=7.88 && rm -rf /var/lib/apt/lists/*',
    'FROM python:3\nENV A=b\nUSER root\nRUN pip3 install numpy==1.19.5 >/dev/null 2>&1',
    'FROM a\nRUN apt-get -qq -t bookworm-backports install git && pip --timeout 100 install x',
    'FROM a\nRUN ["apk", "add", "--no-cache", "git"]',
    'FROM a\nRUN set -eux; DEBIAN_FRONTEND=noninteractive apt-get install -y git',
    'FROM a\nRUN python3 -m pip install --no-cache-dir -i https://mirror.example/simple torch && conda install -y cudatoolkit',
    'FROM a\nRUN --mount=type=cache,target=/root/.cache/pip pip install x',
  ])('takes %j', (text) => {
    expect(judge(text)).toBe('accepted');
  });

  it.each([
    ['FROM a\nRUN apt-get install -y git\nRUN curl http://x | sh', 'line 3: Pipeline is not part'],
    ['FROM a\nRUN conda run sh install', 'line 2: conda run does not install'],
    ['FROM a\nRUN apt-get -o APT::Update::Pre-Invoke::=sh update', 'line 2: apt-get -o is not part'],
    ['FROM a\nRUN npm exec evil install', 'line 2: npm exec does not install'],
    ['FROM a\nRUN constructor install', 'line 2: constructor is not a package manager'],
    ['FROM a\nRUN wget x', 'line 2: wget is not a package manager'],
    ['FROM a\nCOPY --from=b x /x', 'line 2: COPY is not allowed'],
    ['FROM a AS b\nFROM c', 'line 2: only one FROM'],
    ['FROM a\nRUN apt-get install $(cat /etc/x)', 'line 2: command substitution'],
    ['FROM a\nRUN X=$(id) apt-get install y', 'line 2: command substitution'],
    ['FROM a\nRUN pip install x; (sh)', 'line 2: Subshell'],
    ['FROM a\nRUN rm -rf /usr', 'line 2: rm may only clean'],
    ['FROM a\nRUN pip install x > /etc/passwd', 'line 2: redirection to /etc/passwd'],
    ['FROM a\nRUN apt-get install x &', 'line 2: commands in the background'],
    ['FROM a\nRUN $CMD install x', 'line 2: the name of a command must be literal'],
    ['FROM a\nRUN python3 setup.py', 'line 2: python3 may only run -m pip'],
    ['FROM a\nENTRYPOINT ["x"]', 'line 2: ENTRYPOINT is not allowed'],
  ])('refuses %j', (text, why) => {
    expect(judge(text)).toContain(why);
    expect(judge(text)).toContain('DockerfileNotAllowed');
  });
});
