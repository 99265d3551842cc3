/** Runs `weft lab` alone, for lab-cli.test.ts: the command line is that of `weft lab`, an error one line with its code. */
import { labCommand } from '../../lib/cli/commands/lab.ts';
import { WeftError } from '../../lib/error.ts';

// Only now, because the checkout may be in a folder that nobody but root may enter.
if (process.env.LAB_COMMAND_UID !== undefined) process.setuid?.(Number(process.env.LAB_COMMAND_UID));

try {
  await labCommand().parseAsync(process.argv.slice(2), { from: 'user' });
} catch (error) {
  if (!(error instanceof WeftError)) throw error;
  process.stderr.write(`${error.code}: ${error.message}\n`);
  process.exitCode = 1;
}
