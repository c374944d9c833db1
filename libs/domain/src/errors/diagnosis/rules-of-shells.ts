import type { Rule } from './rule.ts';

/**
 * What small tools say of a path: `tool: cannot do something '/some/path': what is wrong`. The path begins after a
 * space or a quote.
 */
const saidOf = (trouble: string): RegExp => new RegExp(`(?<![^\\s'‘’:])([^\\s'‘’:]+)['’]?: ${trouble}`);

/** What shells and small tools say, and what exit codes tell. */
export const shellRules: readonly Rule[] = [
  {
    name: 'FileNotInBuild',
    step: /--mount/,
    says: /did not complete successfully: \w+ (\S+): no such file or directory/,
    cause: 'A mount did not find its source $1.',
    suggestion: 'Mend the source of the mount, or make it in the stage that the mount takes it from.',
  },
  {
    name: 'FileNotInBuild',
    keyword: 'COPY',
    says: /no such file or directory|: not found/i,
    cause: 'COPY did not find its source in the build’s context.',
    suggestion:
      'Mend the path, which begins at the context’s folder, or look whether .dockerignore leaves it out; from another stage or image, copy with --from.',
  },
  {
    name: 'FileNotInBuild',
    keyword: 'ADD',
    says: /no such file or directory|: not found/i,
    cause: 'ADD did not find its source in the build’s context.',
    suggestion: 'Mend the path, which begins at the context’s folder, or look whether .dockerignore leaves it out.',
  },
  {
    name: 'UserUnknown',
    says: /unable to find user (\S+?)[:\s]|invalid user: .([^'’]+).|user '(\S+)' does not exist|unknown user(?: name)?:? (\S+)/,
    cause: 'The image has no user $1.',
    suggestion: 'Make the user in an earlier step (useradd), or name a number.',
  },
  {
    name: 'NameTaken',
    says: /(?:user|group) '(\S+)' already exists|group (\S+) exists/,
    cause: '$1 is there already in the base image.',
    suggestion: 'Leave the step out, or make it only when it is not there (id $1 || useradd $1).',
  },
  {
    name: 'NoShell',
    says: /exec(?:ing|: )? ?\\?"?(\/bin\/[a-z]+|bash|sh|zsh)\\?"?: (?:stat|executable file not found|no such file)|exec (\/bin\/\S+): no such file/i,
    cause: 'The image has no $1 to run the step with.',
    suggestion: 'Take a base image with a shell, or write RUN as a list: RUN ["program", "argument"].',
  },
  {
    name: 'SudoMissing',
    says: /sudo: (?:command )?not found/,
    cause: 'There is no sudo in the image, and no need for it.',
    suggestion: 'Leave sudo out: steps run as root until USER says otherwise.',
  },
  {
    name: 'ShellDialect',
    says: /: (\[\[|source|pushd|popd|shopt|declare|let): not found|(Bad substitution)|Illegal option (-o pipefail)/,
    cause: '$1 is bash’s, and the step was run by a plain sh.',
    suggestion: 'Write it for sh, or put SHELL ["/bin/bash", "-c"] before it (and install bash where it is missing).',
  },
  {
    name: 'LineEndings',
    says: /cannot execute: required file not found|\^M|\$'\\r'|bad interpreter: \S+\r|\r: (?:not found|command not found)|env: .*\\r/,
    cause: 'A script’s first line names a program that is not there: most often since its lines end as on Windows.',
    suggestion: "Save it with Unix line ends, or run it through sed -i 's/\\r$//' first.",
  },
  {
    name: 'OtherArchitecture',
    says: /[Ee]xec format error/,
    cause: 'A program in the image is for another processor, or is no program.',
    suggestion: 'Take the download for this architecture; a script needs #! in its first line.',
  },
  {
    name: 'VariableUnset',
    says: /: (\w+): (?:parameter not set|unbound variable)/,
    cause: 'The variable $1 has no value, and the shell was told to stop then.',
    suggestion:
      'Set it with ENV or ARG (an ARG is known after its own line, and in its stage only), or write ${$1:-default}.',
  },
  {
    name: 'ShellSyntax',
    says: /[Ss]yntax error(?:: | near )(.+)$/,
    cause: 'The shell could not read the command: $1.',
    suggestion: 'Look at quotes, brackets and the backslashes at line ends.',
  },
  {
    name: 'CommandNotFound',
    says: /(?:sh|bash|line \d+|: \d+): ([^\s:]+): (?:command )?not found|exec: "([^"]+)": executable file not found/,
    cause: 'There is no command $1 in the image.',
    suggestion: 'Install the package that has it in an earlier step, or mend its name and PATH.',
  },
  {
    name: 'ReadOnly',
    says: saidOf('Read-only file system'),
    cause: '$1 cannot be written to in a build.',
    suggestion: 'Write elsewhere; /proc, /sys and what is mounted read-only belong to the builder.',
  },
  {
    name: 'PermissionDenied',
    says: saidOf('Permission denied'),
    cause: 'The step may not use $1.',
    suggestion:
      'Before USER, give it to that user (chown) or make it executable (chmod +x); steps that need root come before USER.',
  },
  {
    name: 'FileExists',
    says: saidOf('File exists'),
    cause: '$1 is there already.',
    suggestion: 'Use mkdir -p or ln -sf, or remove it first.',
  },
  {
    name: 'FileMissing',
    says: /can't cd to (\S+)|can't open file '([^']+)'|cannot access archive '([^']+)'/,
    cause: 'There is no $1 in the image.',
    suggestion: 'Mend the path, or make or copy it in an earlier step.',
  },
  {
    name: 'FileMissing',
    says: saidOf('No such file or directory'),
    cause: 'There is no $1 in the image.',
    suggestion: 'Mend the path, or make or copy the file in an earlier step.',
  },
  {
    name: 'Killed',
    exitCode: 137,
    cause:
      'A program of the step was killed (signal 9), by itself or by another one of the step: the build’s memory had not run out.',
    suggestion: 'Look for kill, timeout and limits that the program sets itself.',
  },
  {
    name: 'Crashed',
    exitCode: 139,
    cause: 'A program of the step crashed: it used memory that is not its own (signal 11).',
    suggestion: 'Most often it is made for another C library (musl, glibc) or processor than the image has.',
  },
  {
    name: 'Aborted',
    exitCode: 134,
    cause: 'A program of the step gave up (signal 6).',
    suggestion: 'Its last lines say why.',
  },
  {
    name: 'NotExecutable',
    exitCode: 126,
    cause: 'The command is there and cannot be run.',
    suggestion: 'Make it executable (chmod +x), and look whether it is a program at all.',
  },
  {
    name: 'CommandNotFound',
    exitCode: 127,
    cause: 'A command of the step is not in the image.',
    suggestion: 'Install the package that has it in an earlier step, or mend its name and PATH.',
  },
];
