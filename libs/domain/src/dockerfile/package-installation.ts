import { requestFields } from '../builds/build-request.ts';
import { fieldFault } from '../errors/fault.ts';
import { forEachChild, parse, type Redirection, type Statement, type SyntaxNode } from 'unbash';
import type { ParsedDockerfile } from './dockerfile.ts';
import type { Step } from './step.ts';

/** `lenient` bounds the instructions; `strict` judges the commands of RUN as well. */
export type PackageRules = 'lenient' | 'strict';

/** Instructions that installing packages on a base may need. */
const instructions: Record<PackageRules, ReadonlySet<string>> = {
  lenient: new Set(['FROM', 'ARG', 'ENV', 'LABEL', 'RUN', 'USER', 'WORKDIR', 'SHELL', 'CMD', 'EXPOSE']),
  strict: new Set(['FROM', 'ARG', 'ENV', 'RUN', 'LABEL', 'USER', 'WORKDIR']),
};

/** Package managers, each with the subcommands that install packages or tidy up after it. */
const system = ['install', 'update', 'upgrade', 'dist-upgrade', 'full-upgrade', 'build-dep', 'remove', 'purge', 'autoremove', 'clean', 'autoclean']; // prettier-ignore
const rpm = [...system, 'makecache', 'localinstall', 'groupinstall', 'module', 'reinstall'];
const python = ['install', 'uninstall', 'download', 'cache', 'config', 'list', 'freeze', 'check'];
const conda = ['install', 'update', 'upgrade', 'remove', 'uninstall', 'create', 'clean', 'config', 'env', 'list'];
const node = ['install', 'i', 'ci', 'add', 'remove', 'uninstall', 'cache', 'config'];
const managers: Record<string, readonly string[]> = {
  apt: system, 'apt-get': system, aptitude: system,
  apk: ['add', 'del', 'update', 'upgrade', 'fix', 'cache'],
  yum: rpm, dnf: rpm, microdnf: rpm, tdnf: rpm,
  zypper: ['install', 'in', 'update', 'up', 'refresh', 'ref', 'remove', 'rm', 'clean', 'dist-upgrade'],
  pip: python, pipx: ['install', 'inject', 'upgrade'],
  conda, mamba: conda, micromamba: conda,
  npm: node, yarn: node, pnpm: node,
  gem: ['install', 'update', 'uninstall', 'cleanup'],
}; // prettier-ignore
/** Options that may stand before the subcommand with a value of their own. */
const valued = new Set(['-t', '--target-release', '--timeout', '--default-timeout', '--proxy', '--cache-dir', '-n', '--name', '--retries']); // prettier-ignore
/** Options that make apt run commands or read other settings. */
const aptSettings = /^(?:-o|-c|--option|--config-file)/;
const pythons = /^python(?:3(?:\.\d+)?)?$/;

/** Other commands that such a Dockerfile commonly has. */
const helpers = new Set(['set', 'export', 'true', ':', 'ldconfig', 'update-ca-certificates', 'apt-mark', 'locale-gen']);
const cleanable =
  /^(?:\/var\/lib\/apt\/lists|\/var\/cache|\/tmp|\/var\/tmp|\/root\/\.cache|~\/\.cache|\$HOME\/\.cache|\/var\/lib\/dpkg\/.*-old|\/usr\/share\/(?:doc|man))(?:\/|$)/;

/** Why a command is refused, or undefined when it installs packages. */
function judgeCommand(argv: string[]): string | undefined {
  const [name, ...rest] = argv;
  if (name === undefined) return undefined;
  const command = name.replace(/^(?:\/usr)?(?:\/local)?\/s?bin\//, '');
  const operands = rest.filter((it) => !it.startsWith('-'));
  if (helpers.has(command)) return undefined;
  if (command === 'rm') {
    const outside = operands.find((it) => !cleanable.test(it) || it.includes('..'));
    return outside === undefined ? undefined : `rm may only clean package caches and temporary folders, not ${outside}`;
  }
  if (pythons.test(command))
    return rest[0] === '-m' && rest[1] === 'pip'
      ? judgeCommand(['pip', ...rest.slice(2)])
      : `${command} may only run -m pip`;
  if (command === 'uv') return rest[0] === 'pip' ? judgeCommand(['pip', ...rest.slice(1)]) : 'uv may only run uv pip';
  const manager = /^pip3(?:\.\d+)?$/.test(command) ? 'pip' : command;
  const subcommands = Object.hasOwn(managers, manager) ? managers[manager] : undefined;
  if (!subcommands) return `${command} is not a package manager`;
  const setting = subcommands === system ? rest.find((it) => aptSettings.test(it)) : undefined;
  if (setting) return `${command} ${setting} is not part of installing packages`;
  const subcommand = rest.find((it, index) => !it.startsWith('-') && !valued.has(rest[index - 1] ?? ''));
  return subcommands.includes(subcommand ?? '')
    ? undefined
    : `${command} ${subcommand ?? 'alone'} does not install packages`;
}

/** Whether a command, its assignments included, runs another one inside it. */
function substitutes(node: SyntaxNode): boolean {
  if (node.type === 'CommandExpansion' || node.type === 'ProcessSubstitution') return true;
  let found = false;
  forEachChild(node, (child) => (found ||= substitutes(child)));
  return found;
}

function judgeRedirects(redirects: readonly Redirection[]): string | undefined {
  for (const it of redirects) {
    if (it.type !== 'Redirect') return 'here-documents are not part of installing packages';
    const target = it.target?.value ?? '';
    // To nowhere, or to another descriptor such as 2>&1.
    if (target !== '/dev/null' && !/^(?:\d|-)$/.test(target))
      return `redirection to ${target} is not part of installing packages`;
  }
  return undefined;
}

/** Why a shell construct is refused: only commands joined by `&&`, `||` or `;` are taken. */
function judgeNode(node: Statement | Statement['command']): string | undefined {
  switch (node.type) {
    case 'Statement':
      return node.background
        ? 'commands in the background are not part of installing packages'
        : judgeNode(node.command);
    case 'AndOr':
      return node.commands.map(judgeNode).find(Boolean);
    case 'Command': {
      const words = [...(node.name ? [node.name] : []), ...node.args.filter((it) => it.type === 'Word')];
      if (substitutes(node)) return 'command substitution is not part of installing packages';
      const literal = node.name?.parts?.every((it) => it.type === 'Literal' || it.type === 'SingleQuoted') ?? true;
      if (!literal) return 'the name of a command must be literal';
      return judgeRedirects(node.redirects) ?? judgeCommand(words.map((it) => it.value));
    }
    default:
      return `${node.type} is not part of installing packages; join commands with && or ;`;
  }
}

function judgeRun(step: Step): string | undefined {
  const body = step.text.replace(/^(?:--\S+\s+)*/, '');
  if (body.startsWith('[')) {
    try {
      const argv: unknown = JSON.parse(body);
      if (Array.isArray(argv)) return judgeCommand(argv.map(String));
    } catch {
      // Not JSON: a shell then runs it as it is, and so it is judged below.
    }
  }
  const script = parse(body);
  const [error] = script.errors ?? [];
  if (error) return `does not parse as a shell command: ${error.message}`;
  return script.commands.map(judgeNode).find(Boolean);
}

/**
 * Holds a Dockerfile to PAI's BuildType PackageInstallation: one base, and what is installed on it; by the strict
 * rules, only with commands that install packages. It keeps a build to its declared purpose; it is no sandbox, since
 * packages run scripts of their own.
 * @throws Fault DockerfileNotAllowed that names the line
 */
export function requirePackageInstallation({ steps }: ParsedDockerfile, rules: PackageRules): void {
  for (const step of steps) {
    const why = !instructions[rules].has(step.keyword)
      ? `${step.keyword} is not allowed`
      : step.keyword === 'FROM' && step.stage > 1
        ? 'only one FROM is allowed'
        : step.keyword === 'RUN' && rules === 'strict'
          ? judgeRun(step)
          : undefined;
    if (why === undefined) continue;
    throw fieldFault(
      'DockerfileNotAllowed',
      requestFields.dockerfile,
      `line ${step.lines[0]}: ${why} with BuildType PackageInstallation`,
      {
        lines: step.lines,
        hint: 'use BuildType CustomDockerfile for anything but installing packages on a base image',
      },
    );
  }
}
