import { errorClass, Fault } from '@kiln/domain';
import { Command, CommanderError, Option } from 'commander';
import { buildCommand } from './commands/build.ts';
import { buildCommands } from './commands/builds.ts';
import { completionCommand } from './commands/completion.ts';
import { imageCommands } from './commands/images.ts';
import { loginCommands } from './commands/login.ts';
import { maCommands, withLongFlags } from './commands/ma.ts';
import { verifyCommand, withProfilesOfImages } from './commands/verify.ts';
import { CommandError, exitCodes } from './exit.ts';
import { red, yellow } from './show/style.ts';

const program = new Command('kiln')
  .description('builds container images with Kiln')
  .version('0.1.0')
  .addOption(new Option('--profile <name>', 'which Kiln, of those that "login" keeps'))
  .addOption(new Option('-o, --output <format>', 'how results are printed').choices(['json', 'ndjson']))
  .showHelpAfterError('(--help shows what there is)')
  .exitOverride();
let exitCode = 0;
const leaveWith = (code: number): void => void (exitCode = code);
loginCommands(program);
buildCommand(program, leaveWith);
buildCommands(program, leaveWith);
imageCommands(program);
verifyCommand(program, leaveWith);
maCommands(program, leaveWith);
completionCommand(program);

/** Says what went wrong. @returns how the command ends */
function explain(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  const hint = error instanceof CommandError ? error.hint : undefined;
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`${red('error:')} ${message}\n`);
  if (hint !== undefined) process.stderr.write(`${yellow('what to do:')} ${hint}\n`);
  if (error instanceof CommandError) return error.exitCode;
  return error instanceof Fault && errorClass(error.code) === 'user' ? exitCodes.usage : exitCodes.infrastructure;
}

// `docker kiln …` asks plug-ins what they are, and names itself first.
const [, , first] = process.argv;
if (first === 'docker-cli-plugin-metadata') {
  console.log(JSON.stringify({ SchemaVersion: '0.1.0', Vendor: 'Kiln', Version: '0.1.0', ShortDescription: 'Kiln' }));
} else {
  if (first === 'kiln') process.argv.splice(2, 1);
  const stopAt = (command: Command): void => {
    command.exitOverride();
    command.commands.forEach(stopAt);
  };
  stopAt(program);
  process.exitCode = await program
    .parseAsync(withProfilesOfImages(withLongFlags(process.argv)))
    .then(() => exitCode, explain);
  // A connection that is still open, or a terminal that is still read, does not keep the command.
  setTimeout(() => process.exit(), 2000).unref();
}
