/** `weft wireshark`: what Wireshark needs to show this overlay, and to capture on it. */
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { askDaemon } from '../../control/client.ts';
import { DEFAULT_CONTROL_SOCKET } from '../../control/protocol.ts';
import { printable, printableLines, toJson } from '../../printable.ts';
import { type Account, accountOf, asAccount } from '../../wireshark/account.ts';
import { readDissector } from '../../wireshark/dissector.ts';
import { captureCommand, type ExtcapOptions, type OwnProgram } from '../../wireshark/extcap-command.ts';
import { formSentences, interfaceSentences, linkTypeSentences } from '../../wireshark/extcap-form.ts';
import { checkFilter, openFifo, runExtcapCapture } from '../../wireshark/extcap-run.ts';
import { foldersOf } from '../../wireshark/folders.ts';
import { type FileState, install, type OurFile, ourFiles, remove, stateOf } from '../../wireshark/installation.ts';
import { formatLeases, type NetworkLeases } from '../../wireshark/leases.ts';
import { rightsOf } from '../../wireshark/rights.ts';
import { addDaemonOptions, type QueryOptions } from '../query.ts';
import { formatTable } from '../table.ts';

const HELP = `
Where Wireshark is on another machine than Weft: weft wireshark lua >weft.lua, and copy the file into its folder
"Personal Lua Plugins" (Help > About Wireshark > Folders).

Examples:
  weft wireshark install                       then start Wireshark: "Weft: overlay + underlay" is in its list
  sudo weft wireshark leases >~/.config/wireshark/weft-leases
  tshark -i weft -o extcap.weft.inner:icmp     the same in a terminal`;

export function wiresharkCommand(): Command {
  const wireshark = new Command('wireshark')
    .description('Show and capture this overlay in Wireshark')
    .addHelpText('after', HELP);
  addInstallation(wireshark);
  wireshark
    .command('lua')
    .description('print the dissector, to be used on any machine')
    .action(() => {
      process.stdout.write(readDissector());
    });
  addDaemonOptions(wireshark.command('leases'), { network: 'one of several networks; default: all of them' })
    .description('print who has which subnet, for the dissector to check senders against')
    .action(async (options: QueryOptions) => {
      process.stdout.write(printableLines(formatLeases(await askLeases(options))));
    });
  addExtcap(wireshark);
  return wireshark;
}

/** Of all networks, or of the one that was named. */
async function askLeases({ controlSocket, network }: QueryOptions): Promise<NetworkLeases[]> {
  const { networks } = await askDaemon(controlSocket, '/v1/status', network);
  const wanted = network === undefined ? networks : networks.filter(({ name }) => name === network);
  return Promise.all(
    wanted.map(async (report) => {
      const named = report.name === '' ? undefined : report.name;
      const { peers } = await askDaemon(controlSocket, '/v1/peers', named);
      return { report, peers };
    }),
  );
}

function addInstallation(wireshark: Command): void {
  wireshark
    .command('install')
    .description(
      "put dissector, capture interface and profile into your Wireshark's folders; under sudo, into those of its caller",
    )
    .action(() => {
      const { account, folders, files } = place();
      const done = asAccount(account, () => install(files));
      say(done.map(({ file, before }) => [file.what, INSTALLED[before], shortened(file.path, account)]));
      process.stdout.write(`\nWireshark ${folders.version} shows it when it is started anew.\n`);
      if (done.some(({ before }) => before === 'foreign')) process.exitCode = 1;
    });
  wireshark
    .command('remove')
    .description('take them away again, and nothing else')
    .action(() => {
      const { account, files } = place();
      const done = asAccount(account, () => remove(files));
      say(done.map(({ file, before }) => [file.what, REMOVED[before], shortened(file.path, account)]));
    });
  wireshark
    .command('status')
    .description('what is there, whether it fits this version, and who may capture')
    .option('--json', 'print JSON instead of a table')
    .action(({ json }: { readonly json?: boolean }) => {
      const { account, folders, files } = place();
      const states = asAccount(account, () => files.map((file) => ({ file, state: stateOf(file) })));
      const leases = join(folders.configuration, 'weft-leases');
      const rights = rightsOf(account, leases);
      if (json === true) {
        const there = states.map(({ file, state }) => ({ what: file.what, path: file.path, state }));
        process.stdout.write(
          `${toJson({ wireshark: folders.version, user: account.name, files: there, ...rights }, 2)}\n`,
        );
      } else {
        process.stdout.write(`Wireshark ${folders.version} of ${printable(account.name)}\n\n`);
        say([
          ...states.map(({ file, state }) => [file.what, STATES[state], shortened(file.path, account)]),
          ['leases', rights.leases ? 'read' : 'none', shortened(leases, account)],
        ]);
        const senders = rights.leases
          ? 'are checked by the leases'
          : 'are not checked: no leases (weft wireshark leases)';
        process.stdout.write(`\nCapture  ${rights.capture}\nSenders  ${senders}\n`);
      }
      if (states.some(({ state }) => state !== 'current')) process.exitCode = 1;
    });
}

const INSTALLED: Readonly<Record<FileState, string>> = {
  missing: 'installed',
  current: 'was there',
  other: 'replaced',
  foreign: "left: it is not weft's",
};
const REMOVED: Readonly<Record<FileState, string>> = {
  missing: 'was not there',
  current: 'removed',
  other: 'removed',
  foreign: "left: it is not weft's",
};
const STATES: Readonly<Record<FileState, string>> = {
  missing: 'not installed',
  current: 'installed',
  other: 'of another version or place: install again',
  foreign: "not weft's",
};

function place(): { account: ReturnType<typeof accountOf>; folders: ReturnType<typeof foldersOf>; files: OurFile[] } {
  const account = accountOf(process.env, process.geteuid?.() === 0);
  const folders = foldersOf(account);
  return { account, folders, files: ourFiles(folders, ownProgram(), DEFAULT_CONTROL_SOCKET) };
}

/** bin/weft of this checkout, and the node that runs it. */
function ownProgram(): OwnProgram {
  return {
    node: realpathSync(process.execPath),
    weft: fileURLToPath(new URL('../../../../bin/weft', import.meta.url)),
  };
}

/** As a shell takes it: "~/.config/..."; under sudo with the name of whose home it is. */
function shortened(path: string, { home, name, ids }: Account): string {
  return path.startsWith(`${home}/`) ? `~${ids === undefined ? '' : name}${path.slice(home.length)}` : path;
}

function say(rows: string[][]): void {
  process.stdout.write(
    formatTable(
      [{ title: 'What' }, { title: 'State' }, { title: 'File' }],
      rows.map((row) => row.map((cell) => printable(cell))),
    ),
  );
}

interface ExtcapQuestion extends Omit<ExtcapOptions, 'extcapInterface'> {
  readonly extcapInterfaces?: boolean;
  readonly extcapDlts?: boolean;
  readonly extcapConfig?: boolean;
  readonly capture?: boolean;
  readonly fifo?: string;
  readonly extcapInterface?: string;
}

/** What Wireshark calls, by the script that `install` puts into its folder. */
function addExtcap(wireshark: Command): void {
  wireshark
    .command('extcap', { hidden: true })
    .description('what Wireshark calls')
    .allowUnknownOption()
    .allowExcessArguments()
    .option('--extcap-interfaces', 'list the interfaces')
    .option('--extcap-dlts', 'name the link type of one')
    .option('--extcap-config', 'describe its form')
    .option('--extcap-interface <name>', 'which')
    .option('--extcap-version <version>', "Wireshark's")
    .option('--extcap-capture-filter <filter>', 'of outer packets; checked, where nothing is captured')
    .option('--capture', 'capture')
    .option('--fifo <path>', 'into this pipe')
    .option('--inner <filter>', 'as weft capture has it')
    .option('--outer <filter>', 'of outer packets')
    .option('--peer <peer>', 'as weft capture has it')
    .option('--edge <edge>', 'as weft capture has it, or both')
    .option('--dropped', 'as weft capture has it')
    .option('--snap-length <bytes>', 'as weft capture has it')
    .option('--raw', 'as weft capture has it')
    .option('--network <name>', 'as weft capture has it')
    .option('--remote-host <host>', 'capture there')
    .option('--remote-weft <program>', 'by this program')
    .option('--sudo', 'by sudo -n')
    .action(async (options: ExtcapQuestion) => {
      await answer(options);
    });
}

async function answer(options: ExtcapQuestion): Promise<void> {
  const { fifo, extcapInterface = '', extcapCaptureFilter } = options;
  if (options.extcapInterfaces === true) process.stdout.write(interfaceSentences(await networkNames()));
  else if (options.extcapDlts === true) process.stdout.write(linkTypeSentences());
  else if (options.extcapConfig === true) process.stdout.write(formSentences());
  else if (options.capture === true && fifo !== undefined) {
    const pipe = openFifo(fifo);
    const command = captureCommand({ ...options, extcapInterface }, ownProgram());
    const host = options.remoteHost?.trim() || undefined;
    await runExtcapCapture({ command, fifo: pipe, host, sudo: options.sudo === true });
  } else if (extcapCaptureFilter !== undefined) process.stdout.write(checkFilter(extcapCaptureFilter));
}

/** None where there is no daemon, or none that we may ask. */
async function networkNames(): Promise<string[]> {
  try {
    const { networks } = await askDaemon(process.env.WEFT_CONTROL_SOCKET ?? DEFAULT_CONTROL_SOCKET, '/v1/status');
    return networks.map(({ name }) => name).filter((name) => name !== '');
  } catch {
    return [];
  }
}
