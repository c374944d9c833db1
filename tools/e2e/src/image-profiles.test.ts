import { checkImage, checksFor, inspect, type Profile, verdictOf } from '@kiln/domain';
import { readProfiles } from '@kiln/usecases';
import {
  add,
  categories,
  type Change,
  config,
  drop,
  env,
  layerOf,
  link,
  type MadeImage,
  over,
  package_,
  passwd,
  program,
  text,
  unset,
  with_,
} from './made-image.ts';

const profiles = new Map(readProfiles(undefined, '550.54.14').map((it) => [it.name, it]));
const profileOf = (name: string): Profile => {
  const found = profiles.get(name);
  if (!found) throw new Error(`no profile ${name}`);
  return found;
};

async function check(image: MadeImage, profile: string) {
  const layers = await Promise.all(
    [image.files, image.upper].map(async (it, n) => ({
      digest: `sha256:${n}`,
      size: n === 0 ? (image.size ?? 1000) : 0,
      instruction: '',
      facts: { ...(await layerOf(it)), ...(n === 0 && image.unpacked !== undefined ? { bytes: image.unpacked } : {}) },
    })),
  );
  return checksFor(checkImage(inspect(image.platform, layers, image.config), profileOf(profile)), image.categories);
}

const cuda: Change = add({
  'usr/local/cuda-12.4/version.json': text('{"cuda":{"name":"CUDA","version":"12.4.1"}}'),
  'usr/local/cuda-12.4/lib64/stubs/libcuda.so': text('elf:amd64'),
  'usr/local/cuda-12.4/compat/libcuda.so.550.54': text('elf:amd64'),
  ...package_('nvidia_nccl_cu12', '2.21.5'),
  ...package_('torch', '2.6.0+cu124'),
});
const conda: Change = add({
  'opt/conda/bin/conda': program('#!/opt/conda/bin/python'),
  'opt/conda/bin/python3.10': program(),
  'opt/conda/bin/python': link('python3.10'),
});
const ascend: Change = (it) => {
  it.platform = 'linux/arm64';
  for (const file of Object.values(it.files)) if (file.content === 'elf:amd64') file.content = 'elf:arm64';
  add({
    'usr/local/Ascend/ascend-toolkit/8.0.RC3/aarch64-linux/ascend_toolkit_install.info': text('version=8.0.RC3\n'),
  })(it);
  categories('ASCEND')(it);
};
const serve = [
  add({ 'home/mind/run.sh': text('python app.py') }),
  config({ cmd: ['sh', '/home/mind/run.sh'], ports: ['8080/tcp'] }),
];
const jupyter: Change = add({
  ...package_('jupyterlab', '4.1.0'),
  'usr/sbin/sshd': program(),
  'usr/bin/ssh-keygen': program(),
});
const sbin = config({ env: ['PATH=/usr/local/bin:/usr/bin:/usr/sbin', 'PYTHONUNBUFFERED=1'] });
const batch = add({ 'usr/bin/java': program(), 'usr/bin/zip': program() });
const odh = [
  jupyter,
  add({ 'opt/app-root/bin/start-singleuser.sh': program('#!/bin/sh') }),
  config({ env: ['PATH=/opt/app-root/bin:/usr/local/bin'] }),
];
const eas = [add({ 'usr/bin/curl': program() }), config({ ports: ['8000/tcp'] })];

const clean: [name: string, profile: string, image: MadeImage][] = [
  ['plain', 'modelarts-training', with_(categories('CPU'))],
  ['group named users', 'modelarts-training', with_(add({ 'etc/group': text('users:x:100:\n') }))],
  ['CUDA and torch', 'modelarts-training', with_(cuda, categories('GPU'))],
  ['Ascend', 'modelarts-training', with_(ascend)],
  [
    'conda by variables',
    'modelarts-training',
    with_(conda, env('ANACONDA_DIR=/opt/conda', 'DEFAULT_CONDA_ENV_NAME=base')),
  ],
  [
    'conda by PATH',
    'modelarts-training',
    with_(conda, config({ env: ['PATH=/opt/conda/bin:/usr/bin', 'PYTHONUNBUFFERED=1'] })),
  ],
  ['writable home of root', 'modelarts-training', with_(add({ 'home/ma-user/': { mode: 0o777 } }))],
  [
    'driver removed above',
    'modelarts-training',
    with_(add({ 'usr/lib/libcuda.so.1': text('x') }), over({ 'usr/lib/.wh.libcuda.so.1': {} }), categories('GPU')),
  ],
  ['legacy', 'modelarts-training-legacy', with_()],
  ['JupyterLab', 'modelarts-notebook', with_(jupyter, sbin)],
  [
    'notebook 6',
    'modelarts-notebook',
    with_(jupyter, drop(...Object.keys(package_('jupyterlab', '4.1.0'))), add(package_('notebook', '6.5.0')), sbin),
  ],
  ['serving', 'modelarts-inference', with_(...serve)],
  [
    'serving by an entrypoint',
    'modelarts-inference',
    with_(...serve, config({ entrypoint: ['/bin/bash', '-c'], cmd: ['exec python'] })),
  ],
  ['batch', 'modelarts-inference-batch', with_(...serve, batch)],
  ['custom engine', 'modelarts-custom-engine', with_(...serve)],
  ['an emptied base', 'modelarts-training', with_(over({ 'var/lib/dpkg/status': text('') }))],
  [
    'a script in libexec',
    'modelarts-inference',
    with_(...serve, add({ 'usr/libexec/s2i/run': program('#!/bin/sh') }), config({ cmd: ['/usr/libexec/s2i/run'] })),
  ],
  [
    'a setuid file mended above',
    'modelarts-training-legacy',
    with_(add({ 'usr/lib/x/tool': { ...program(), mode: 0o4755 } }), over({ 'usr/lib/x/tool': program() })),
  ],
  ['EAS', 'pai-eas', with_(...eas)],
  ['DLC', 'pai-dlc', with_()],
  ['DSW', 'pai-dsw', with_()],
  ['DataWorks', 'dataworks', with_()],
  ['Open Data Hub', 'opendatahub-notebook', with_(...odh)],
];

it.each(clean)('passes a clean image: %s for %s', async (_, profile, image) => {
  const checks = await check(image, profile);
  expect(checks.filter((it) => !['pass', 'not-applicable'].includes(it.result))).toEqual([]);
  expect(verdictOf(checks)).toBe('pass');
});

const users: [string, Change][] = [
  ['no such uid', passwd('ma-user:x:1001:100::/home/ma-user:/bin/bash')],
  ['another gid', passwd('ma-user:x:1000:1000::/home/ma-user:/bin/bash')],
  ['another home', passwd('ma-user:x:1000:100::/home/other:/bin/bash')],
  ['no passwd at all', drop('etc/passwd')],
  ['passwd removed above', over({ 'etc/.wh.passwd': {} })],
  ['no home', drop('home/ma-user/')],
  ['home removed above', over({ 'home/.wh.ma-user': {} })],
  ['home of root', add({ 'home/ma-user/': { mode: 0o755 } })],
  ['home that is read only', add({ 'home/ma-user/': { mode: 0o555, owner: [1000, 100] } })],
  ['home that is a file', (it) => (drop('home/ma-user/')(it), add({ 'home/ma-user': text('x') })(it))],
];
const architectures: [string, Change][] = [
  ['programs for another architecture', (it) => void Object.values(it.files).forEach((one) => { if (one.content === 'elf:amd64') one.content = 'elf:arm64'; })], // prettier-ignore
  ['says arm64, is amd64', (it) => void (it.platform = 'linux/arm64')],
];
const drivers: [string, Change][] = [
  ['libcuda.so.1', add({ 'usr/lib/x86_64-linux-gnu/libcuda.so.1': text('x') })],
  ['libcuda by its version', add({ 'usr/lib64/libcuda.so.535.104.05': text('x') })],
  ['libnvidia-ml', add({ 'usr/lib/x86_64-linux-gnu/libnvidia-ml.so.535.104': text('x') })],
  ['the kernel module', add({ 'usr/lib/modules/5.15/kernel/nvidia.ko': text('x') })],
  ['nvidia-smi', add({ 'usr/bin/nvidia-smi': program() })],
  ['in an upper layer', over({ 'usr/lib/libcuda.so': text('x') })],
];
const gib = 2 ** 30;
const training = (...more: Change[]) => [cuda, categories('GPU'), ...more];
const faults: [name: string, profile: string, rule: string, changes: Change[]][] = [
  ...users.flatMap(([name, change]): typeof faults => [
    [name, 'modelarts-training', 'M1', [change]],
    [name, 'modelarts-inference', 'M1', [...serve, change]],
    [name, 'modelarts-notebook', 'M2', [jupyter, sbin, change]],
  ]),
  ['another name', 'modelarts-notebook', 'M2', [jupyter, sbin, passwd('user:x:1000:100::/home/ma-user:/bin/bash')]],
  ['group named users', 'modelarts-notebook', 'M2', [jupyter, sbin, add({ 'etc/group': text('users:x:100:\n') })]],
  ['group named users', 'modelarts-custom-engine', 'M2', [...serve, add({ 'etc/group': text('users:x:100:\n') })]],
  ...architectures.flatMap(([name, change]): typeof faults => [
    [name, 'modelarts-training', 'M14', [change]],
    [name, 'modelarts-inference', 'M14', [...serve, change]],
    [name, 'pai-dlc', 'P0', [change]],
    [name, 'pai-eas', 'P0', [...eas, change]],
  ]),
  ['a shell for another architecture', 'modelarts-training', 'M14', [add({ 'usr/bin/bash': program('elf:arm64') })]],
  ['for arm64', 'dataworks', 'P7a', [ascend]],
  ...drivers.flatMap(([name, change]): typeof faults => [
    [name, 'modelarts-training', 'M5', training(change)],
    [name, 'modelarts-inference', 'M5', [...serve, categories('GPU'), change]],
  ]),
  ['31 GiB', 'modelarts-training', 'M4', [(it) => void (it.size = 31 * gib)]],
  ['16 GiB', 'modelarts-training', 'M4b', [(it) => void (it.size = 16 * gib)]],
  ['51 GiB', 'modelarts-inference', 'M4', [...serve, (it) => void (it.size = 51 * gib)]],
  ['36 GiB', 'modelarts-notebook', 'M4', [jupyter, sbin, (it) => void (it.size = 36 * gib)]],
  ['31 GiB unpacked', 'modelarts-custom-engine', 'M4', [...serve, (it) => void (it.unpacked = 31 * gib)]],
  ['6 GiB', 'dataworks', 'P7b', [(it) => void (it.size = 6 * gib)]],
  ['runs as root', 'modelarts-training', 'M3', [config({ user: '' })]],
  ['runs as 0', 'modelarts-training', 'M3', [config({ user: '0:0' })]],
  ['old NCCL', 'modelarts-training', 'M6', [add(package_('nvidia_nccl_cu11', '2.7.6')), categories('GPU')]],
  ['CUDA for a newer driver', 'modelarts-training', 'M6b', [add(package_('torch', '2.9.0+cu130')), categories('GPU')]],
  ['CUDA for a newer driver', 'modelarts-inference', 'M6b', [...serve, add(package_('torch', '2.9.0+cu130')), categories('GPU')]],
  ['CUDA for a newer driver', 'modelarts-notebook', 'M6b', [jupyter, sbin, add(package_('torch', '2.9.0+cu130')), categories('GPU')]],
  ['no PYTHONUNBUFFERED', 'modelarts-training', 'M7a', [unset('PYTHONUNBUFFERED')]],
  ['PYTHONUNBUFFERED=0', 'modelarts-training', 'M7a', [env('PYTHONUNBUFFERED=0')]],
  ['another WORKDIR', 'modelarts-training', 'M7b', [config({ workingDir: '/app' })]],
  ['no WORKDIR', 'modelarts-training', 'M7b', [config({ workingDir: '' })]],
  ['conda that is not activated', 'modelarts-training', 'M8', [conda]],
  ['conda by half of its variables', 'modelarts-training', 'M8', [conda, env('ANACONDA_DIR=/opt/conda')]],
  ['conda that is elsewhere', 'modelarts-training', 'M8', [conda, env('ANACONDA_DIR=/opt/other', 'DEFAULT_CONDA_ENV_NAME=base')]],
  ['an environment that is not there', 'modelarts-training', 'M8', [conda, env('ANACONDA_DIR=/opt/conda', 'DEFAULT_CONDA_ENV_NAME=py37')]],
  ['no python', 'modelarts-training', 'M9', [drop('usr/local/bin/python')]],
  ['python that leads nowhere', 'modelarts-training', 'M9', [add({ 'usr/local/bin/python': link('python9') })]],
  ['python that may not be run', 'modelarts-training', 'M9', [add({ 'usr/local/bin/python': text('x') })]],
  ['python not on PATH', 'modelarts-training', 'M9', [config({ env: ['PATH=/bin', 'PYTHONUNBUFFERED=1'] })]],
  ['python removed above', 'modelarts-training', 'M9', [over({ 'usr/local/bin/.wh.python': {} })]],
  ['a whole folder emptied above', 'modelarts-training', 'M9', [over({ 'usr/local/bin/.wh..wh..opq': {} })]],
  ['links in a circle', 'modelarts-training', 'M9', [add({ 'usr/local/bin/python': link('python') })]],
  ['no CANN', 'modelarts-training', 'M15', [ascend, drop('usr/local/Ascend/ascend-toolkit/8.0.RC3/aarch64-linux/ascend_toolkit_install.info')]],
  ['no CANN', 'modelarts-inference', 'M15', [...serve, categories('ASCEND')]],
  ['a setuid file', 'modelarts-training-legacy', 'M17', [add({ 'opt/tool': { ...program(), mode: 0o4755 } })]],
  ['a setgid file', 'modelarts-training-legacy', 'M17', [over({ 'usr/games/hack': { ...program(), mode: 0o2755 } })]],
  ['no Jupyter', 'modelarts-notebook', 'M16a', [jupyter, drop(...Object.keys(package_('jupyterlab', '4.1.0'))), sbin]],
  ['Jupyter removed above', 'modelarts-notebook', 'M16a', [jupyter, sbin, over({ 'usr/local/lib/python3.11/site-packages/.wh.jupyterlab-4.1.0.dist-info': {} })]],
  ['no sshd', 'modelarts-notebook', 'M16b', [jupyter, sbin, drop('usr/sbin/sshd')]],
  ['no ssh-keygen', 'modelarts-notebook', 'M16b', [jupyter, sbin, drop('usr/bin/ssh-keygen')]],
  ['no command', 'modelarts-inference', 'M10', [...serve, config({ cmd: [] })]],
  ['a command that is not there', 'modelarts-inference', 'M10', [...serve, config({ cmd: ['/usr/bin/serve'] })]],
  ['a command that is not on PATH', 'modelarts-inference', 'M10', [...serve, config({ cmd: ['serve'] })]],
  ['a script that is not there', 'modelarts-inference', 'M10', [...serve, drop('home/mind/run.sh')]],
  ['a command that may not be run', 'modelarts-custom-engine', 'M10', [...serve, config({ cmd: ['/home/mind/run.sh'] })]],
  ['a model in it', 'modelarts-inference', 'M13', [...serve, add({ 'home/mind/model/model.pt': text('x') })]],
  ['a model deep in it', 'modelarts-custom-engine', 'M13', [...serve, over({ 'home/mind/model/1/model.pt': text('x') })]],
  ['no port', 'modelarts-inference', 'M12', [...serve, config({ ports: [] })]],
  ['another port', 'modelarts-inference', 'M12', [...serve, config({ ports: ['8081/tcp'] })]],
  ['8080 for UDP', 'modelarts-inference', 'M12', [...serve, config({ ports: ['8080/udp'] })]],
  ...['python', 'java', 'zip'].map((it): (typeof faults)[number] => [`no ${it}`, 'modelarts-inference-batch', 'M11', [...serve, batch, drop(`usr/bin/${it}`, `usr/local/bin/${it}`)]]),
  ['port 8080', 'pai-eas', 'P1', [...eas, config({ ports: ['8080/tcp'] })]],
  ['port 9090', 'pai-eas', 'P1', [...eas, config({ ports: ['8000/tcp', '9090'] })]],
  ['files for EAS’s models', 'pai-eas', 'P2', [...eas, add({ 'eas/workspace/model/a': text('x') })]],
  ['files for the user’s code', 'pai-eas', 'P2', [...eas, add({ 'ml/usercode/app.py': text('x') })]],
  ['no curl', 'pai-eas', 'P4', [...eas, drop('usr/bin/curl')]],
  ['no python3', 'pai-dlc', 'P0b', [drop('usr/local/bin/python3', 'usr/local/bin/python')]],
  ['no tzdata', 'dataworks', 'P7c', [drop('var/lib/dpkg/status')]],
  ['tzdata removed', 'dataworks', 'P7c', [add({ 'var/lib/dpkg/status': text('Package: tzdata\nStatus: deinstall ok config-files\nVersion: 2024a\n') })]],
  ['old Python', 'opendatahub-notebook', 'O1', [...odh, drop('usr/local/bin/python3.11', 'usr/local/bin/python3', 'usr/local/bin/python'), add({ 'usr/bin/python3.6': program() })]],
  ['no Python', 'opendatahub-notebook', 'O1', [...odh, drop('usr/local/bin/python3.11', 'usr/local/bin/python3', 'usr/local/bin/python')]],
  ['no JupyterLab', 'opendatahub-notebook', 'O2', [...odh, drop(...Object.keys(package_('jupyterlab', '4.1.0')))]],
  ['no start-singleuser.sh', 'opendatahub-notebook', 'O3', [...odh, drop('opt/app-root/bin/start-singleuser.sh')]],
]; // prettier-ignore

it('has at least 80 faults', () => expect(faults.length).toBeGreaterThanOrEqual(80));

it.each(faults)('finds %s, by %s', async (_, profile, rule, changes) => {
  const checks = await check(with_(...changes), profile);
  const failed = checks.filter((it) => it.result === 'fail' || it.result === 'unknown');
  expect(failed.map((it) => [it.rule, it.result])).toContainEqual([rule, 'fail']);
  const it = failed.find((one) => one.rule === rule);
  expect(it?.fix?.length).toBeGreaterThan(0);
  expect(it?.found.length).toBeGreaterThan(5);
  // What goes with it may fail, too: python's own architecture when there is none.
  expect(failed.length).toBeLessThanOrEqual(2);
});

it('does not take for missing what it has not looked at', async () => {
  const image = with_(drop('usr/local/bin/python'));
  const facts = { ...(await layerOf(image.files)), cut: true };
  const inspected = inspect('linux/amd64', [{ digest: '', size: 1, instruction: '', facts }], image.config);
  const [found] = checkImage(inspected, profileOf('modelarts-training')).filter((it) => it.rule === 'M9');
  expect(found?.result).toBe('unknown');
});
