/** The `weft` command: finds the subcommand, loads its module only, runs it, turns errors into one line and an exit code. */
import { Command, CommanderError } from 'commander';
import type { ErrorReply } from '../control/protocol.ts';
import { messageOf, WeftError } from '../error.ts';
import { fitText } from '../fit-text.ts';
import { withSystemFolders } from '../lab/search-path.ts';
import { printableLines, toJson } from '../printable.ts';
import { readVersion } from '../version.ts';

interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  /** Imports the module: no other command pays for it, or for the native packages it needs. */
  readonly load: () => Promise<Command>;
  /** For programs: not in the help. */
  readonly isHidden?: true;
}

/** Every subcommand, in the order of the help text. */
const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'status',
    summary: 'what the daemon does, or what it waits for',
    load: async () => (await import('./commands/status.ts')).statusCommand(),
  },
  {
    name: 'peers',
    summary: 'the other nodes: subnets, addresses, traffic',
    load: async () => (await import('./commands/peers.ts')).peersCommand(),
  },
  {
    name: 'routes',
    summary: 'the overlay routes in use',
    load: async () => (await import('./commands/routes.ts')).routesCommand(),
  },
  {
    name: 'fdb',
    summary: 'MAC addresses and the nodes they are behind (vxlan)',
    load: async () => (await import('./commands/fdb.ts')).fdbCommand(),
  },
  {
    name: 'neigh',
    summary: 'addresses that are answered locally, and their MACs (vxlan)',
    load: async () => (await import('./commands/neigh.ts')).neighCommand(),
  },
  {
    name: 'stats',
    summary: 'packet counters and drop reasons',
    load: async () => (await import('./commands/stats.ts')).statsCommand(),
  },
  {
    name: 'top',
    summary: 'peers, rates, drops, batch sizes and CPU, refreshed',
    load: async () => (await import('./commands/top.ts')).topCommand(),
  },
  {
    name: 'ping',
    summary: 'round trips to a peer, underlay and overlay side by side',
    load: async () => (await import('./commands/ping.ts')).pingCommand(),
  },
  {
    name: 'capture',
    summary: "this node's packets, overlay and underlay, as lines or a file",
    load: async () => (await import('./commands/capture.ts')).captureCommand(),
  },
  {
    name: 'trace',
    summary: 'why can this pod not reach that pod: one packet, followed',
    load: async () => (await import('./commands/trace.ts')).traceCommand(),
  },
  {
    name: 'trace-points',
    summary: 'the far end of weft trace --far',
    isHidden: true,
    load: async () => (await import('./commands/trace.ts')).tracePointsCommand(),
  },
  {
    name: 'verify',
    summary: 'check every encapsulated packet, live or in a capture file',
    load: async () => (await import('./commands/verify.ts')).verifyCommand(),
  },
  {
    name: 'overhead',
    summary: 'what user space costs: the time of each packet in weftd, CPU for it',
    load: async () => (await import('./commands/overhead.ts')).overheadCommand(),
  },
  {
    name: 'ui',
    summary: 'a page in the browser: peers, traffic, drops, packets',
    load: async () => (await import('./commands/ui.ts')).uiCommand(),
  },
  {
    name: 'wireshark',
    summary: 'dissector, capture interface and leases for Wireshark',
    load: async () => (await import('./commands/wireshark.ts')).wiresharkCommand(),
  },
  {
    name: 'lab',
    summary: 'hosts, pods and etcd from network namespaces on this machine',
    load: async () => (await import('./commands/lab.ts')).labCommand(),
  },
  {
    name: 'demo',
    summary: 'two hosts on this machine: traffic, capture, every claim checked',
    load: async () => (await import('./commands/demo.ts')).demoCommand(),
  },
  {
    name: 'bench',
    summary: 'measure weft against the direct path and kernel VXLAN',
    load: async () => (await import('./commands/bench.ts')).benchCommand(),
  },
];

const HELP_COLUMNS = 80;

const EXAMPLES = `
Examples:
  weft status              is the overlay up, and which path do packets take?
  weft trace 10.244.32.2   why does that pod not answer? (needs root)
  weft capture             every packet, before and in the tunnel (needs root)
  weft peers --json        the other nodes, for scripts
  weft top                 peers and rates, refreshed, until q
  weft overhead            what user space costs each packet now (needs root)

Exit codes: 0 done, 1 failed, 2 wrong usage. weftd --help is about the daemon.`;

/** Runs one command line (without node and script) and returns the exit code: 0, 1 for failure, 2 for wrong usage. */
export async function main(argv: readonly string[]): Promise<number> {
  // Output cut by the reader, as in `weft peers | head`, is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? 0 : report(error, false));
  });
  // What standard error cannot take is not worth a second error.
  process.stderr.on('error', () => undefined);
  // For what commands start: lab, demo and bench.
  process.env.PATH = withSystemFolders(process.env.PATH);
  const line = commandFirst(argv);
  try {
    const program = await buildProgram(line);
    await program.parseAsync(line, { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    return report(error, argv.includes('--json'));
  }
}

/** Options of the commands that may stand before the command, and whether a value follows. */
const LEADING_OPTIONS: Readonly<Record<string, boolean>> = {
  '--json': false,
  '--network': true,
  '--control-socket': true,
};

/** Commands that have commands of their own. */
const GROUPS: ReadonlySet<string> = new Set(['lab', 'wireshark']);

/** The command line as commander takes it: the command, then its options; `help` and names as names and --help. */
export function commandFirst(argv: readonly string[]): string[] {
  let at = 0;
  for (let option = argv[at]; option !== undefined; option = argv[at]) {
    const [name = ''] = option.split('=', 1);
    if (!Object.hasOwn(LEADING_OPTIONS, name)) break;
    at += LEADING_OPTIONS[name] === true && !option.includes('=') ? 2 : 1;
  }
  const [leading, rest] = [argv.slice(0, at), argv.slice(at)];
  if (rest[0] === 'help' && rest.length > 1) return [...rest.slice(1), '--help'];
  const names = GROUPS.has(rest[0] ?? '') ? 2 : 1;
  return rest.length === 0 ? [...argv] : [...rest.slice(0, names), ...leading, ...rest.slice(names)];
}

async function buildProgram(argv: readonly string[]): Promise<Command> {
  const program = new Command('weft')
    .description('Look into and try out the Weft overlay network')
    .version(readVersion())
    .addHelpText('after', EXAMPLES)
    .exitOverride()
    .configureOutput({
      writeOut: (text) =>
        process.stdout.write(fitText(text, Math.min(process.stdout.columns || HELP_COLUMNS, HELP_COLUMNS))),
      outputError: (text, write) => write(text.replace(/^error: /, 'weft: ')),
    });
  const wanted = argv[0] === 'help' ? argv[1] : argv[0];
  for (const entry of COMMANDS) {
    if (entry.name === wanted) program.addCommand(inherit(await entry.load(), program).summary(entry.summary));
    else program.command(entry.name, { hidden: entry.isHidden === true }).description(entry.summary);
  }
  return program;
}

/** Gives a command and those below it the settings that commander hands down only to commands made by their parent. */
function inherit(command: Command, parent: Command): Command {
  command.copyInheritedSettings(parent);
  for (const child of command.commands) inherit(child, command);
  return command;
}

/** With `json` a failure is an object on standard output too, as the daemon's own error replies are. */
function report(error: unknown, json: boolean): number {
  // commander has printed its message, or the help or version that was asked for.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof WeftError) {
    const { code, message, hint } = error;
    process.stderr.write(`weft: ${printableLines(message)}\n${hint === undefined ? '' : `${printableLines(hint)}\n`}`);
    const reply: ErrorReply = { error: { code, message, hint: hint ?? null } };
    if (json) process.stdout.write(`${toJson(reply, 2)}\n`);
    return code === 'USAGE' ? 2 : 1;
  }
  if (isOutputError(error)) {
    if (error.code === 'EPIPE') return 0;
    process.stderr.write(`weft: Cannot write the output: ${error.message}\n`);
    return 1;
  }
  // Anything else is a mistake of ours, and its stack is the report we need.
  process.stderr.write(`weft: internal error: ${error instanceof Error ? error.stack : messageOf(error)}\n`);
  return 1;
}

/** A full disk, or whatever else keeps standard output from being written: node says which call failed. */
function isOutputError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error && error.syscall === 'write';
}
