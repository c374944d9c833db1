import { Argument, type Command, type Option } from 'commander';

const shells = ['bash', 'zsh', 'fish'] as const;

/** Flags of an option that people see: `--file`, `-f`. */
const flagsOf = (command: Command): Option[] => command.options.filter((it) => !it.hidden);
const words = (it: Option): string[] => [it.long, it.short].flatMap((flag) => flag ?? []);

/** What a shell of Bourne's kind runs to complete the command; zsh takes it through its own way in for such scripts. */
function bash(program: Command): string {
  const names = program.commands.map((it) => it.name());
  const cases = program.commands.map(
    (it) => `    ${it.name()}) flags=${JSON.stringify(flagsOf(it).flatMap(words).join(' '))} ;;`,
  );
  return `_kiln() {
  local cur=\${COMP_WORDS[COMP_CWORD]} command= flags= word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in ${names.join('|')}) command=$word; break ;; esac
  done
  case $command in
    '') flags=${JSON.stringify([...names, ...flagsOf(program).flatMap(words)].join(' '))} ;;
${cases.join('\n')}
  esac
  if [[ -z $command || $cur == -* ]]; then COMPREPLY=($(compgen -W "$flags" -- "$cur")); fi
}
complete -o default -F _kiln kiln
`;
}

const quoted = (text: string): string => `'${text.replace(/\\/g, '\\\\').replace(/'/g, "\\'")}'`;

function fish(program: Command): string {
  const lines = program.commands.flatMap((command) => [
    `complete -c kiln -n __fish_use_subcommand -f -a ${command.name()} -d ${quoted(command.description())}`,
    ...flagsOf(command).map((it) =>
      [
        `complete -c kiln -n '__fish_seen_subcommand_from ${command.name()}'`,
        ...(it.long ? [`-l ${it.long.slice(2)}`] : []),
        ...(it.short ? [`-s ${it.short.slice(1)}`] : []),
        ...(it.required ? ['-r'] : []),
        `-d ${quoted(it.description)}`,
      ].join(' '),
    ),
  ]);
  return `${lines.join('\n')}\n`;
}

/** `kiln completion`: what a shell reads to complete commands and flags. */
export function completionCommand(program: Command): void {
  program
    .command('completion')
    .description('print what a shell needs to complete commands and flags: source <(kiln completion bash)')
    .addArgument(new Argument('<shell>').choices(shells))
    .action((shell: (typeof shells)[number]) => {
      if (shell === 'fish') process.stdout.write(fish(program));
      else
        process.stdout.write(
          `${shell === 'zsh' ? 'autoload -U +X bashcompinit && bashcompinit\n' : ''}${bash(program)}`,
        );
    });
}
