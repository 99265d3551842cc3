/**
 * Guests with a kernel of their own on one machine: lay the wire (`layWire`), boot, run commands in them and end them (`Guest`),
 * capture between them (`captureWhile`). Called inside the namespaces of isolate.ts, which take everything away afterwards.
 *
 * The root of a guest is this machine's own /, read-only, with an overlay in its memory on top: Node.js, etcd, iperf3 and the
 * checkout are there without an image. Only the kernel is another one.
 */
import { execFile, spawn } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { until } from '../../lib/lab/until.ts';
import { PATIENCE_MS } from '../patience.ts';
import { Guest } from './guest.ts';
import { makeInitrd } from './initrd.ts';
import { SCRATCH } from './isolate.ts';
import type { GuestKernel, Qemu } from './kernels.ts';
import { qemuProgram, virtiofsdProgram } from './qemu.ts';
import { umlProgram } from './uml.ts';

const execute = promisify(execFile);

/** Scripts that guests start: in the sources, since tsc copies none. */
const FOLDER = fileURLToPath(new URL('../../../test/vms', import.meta.url));
const CHECKOUT = fileURLToPath(new URL('../../..', import.meta.url));
const AGENT = fileURLToPath(new URL('agent.js', import.meta.url));

/** Our choice: etcd, weftd and the traffic of a case need a third of it. */
export const MEMORY_MB = 1024;

/** Of one guest. */
export interface GuestOptions {
  readonly kernel: GuestKernel;
  /** The folder of unpacked programs. */
  readonly tools: string;
  /** Undefined: User-mode Linux. */
  readonly qemu?: Qemu;
  readonly kvm: boolean;
}

/**
 * Boots a guest on the wire, which has been laid; its number is its place there. Throws when it does not come up. With `disk`, a
 * folder that it may write, it is a machine with systemd on which Weft is installed but not started (systemd-init.sh): QEMU alone.
 */
export async function bootGuest(number: number, options: GuestOptions, disk?: string): Promise<Guest> {
  const guest = await startGuest(number, options, disk);
  await guest.booted();
  return guest;
}

async function startGuest(number: number, { kernel, tools, qemu, kvm }: GuestOptions, disk?: string): Promise<Guest> {
  const parameters = {
    WEFT_NUMBER: String(number),
    WEFT_FOLDER: FOLDER,
    WEFT_MODULES: kernel.modules,
    WEFT_TOOLS: tools,
    WEFT_NODE: process.execPath,
    WEFT_AGENT: AGENT,
    ...(disk !== undefined && { WEFT_CHECKOUT: CHECKOUT }),
  };
  const output = join(SCRATCH, `console-${number}`);
  if (qemu === undefined) {
    const init = join(FOLDER, 'guest-init.sh');
    return new Guest(number, umlProgram(kernel, number, MEMORY_MB, init, parameters), output);
  }
  const initrd = join(SCRATCH, `initrd-${number}`);
  writeFileSync(initrd, await makeInitrd(kernel, tools, join(FOLDER, 'initrd-init.sh')));
  const shares = {
    host: await serve(qemu, '/', join(SCRATCH, `root-${number}`)),
    ...(disk !== undefined && { disk: await serve(qemu, disk, join(SCRATCH, `disk-${number}`)) }),
  };
  const machine = { number, memoryMb: MEMORY_MB, kvm, kernel, initrd, shares, parameters };
  return new Guest(number, qemuProgram(qemu, machine), output);
}

/** Starts virtiofsd for a folder and one guest; it ends when the guest does. Resolves to its socket. */
async function serve(qemu: Qemu, folder: string, socket: string): Promise<string> {
  // Of a guest that ended.
  rmSync(socket, { force: true });
  const env = { ...process.env, ...(qemu.libraries === '' ? {} : { LD_LIBRARY_PATH: qemu.libraries }) };
  const { stdout } = await execute(qemu.virtiofsd, ['--help'], { env });
  const { argv } = virtiofsdProgram(qemu, folder, socket, stdout.includes('--shared-dir'));
  const [program = '', ...args] = argv;
  let said = '';
  const child = spawn(program, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  child.stderr.on('data', (chunk: Buffer) => {
    said = `${said}${chunk.toString()}`.slice(-1000);
  });
  child.on('error', (error) => {
    said = error.message;
  });
  if (!(await until(() => existsSync(socket) || child.exitCode !== null, PATIENCE_MS)) || child.exitCode !== null)
    throw new Error(`Cannot start virtiofsd: ${said.trim()}`);
  return socket;
}
