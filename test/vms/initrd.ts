/** The initial RAM file system of a QEMU guest: busybox, initrd-init.sh, and the modules on the way to the root. */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { type CpioEntry, cpioArchive } from './cpio.ts';
import type { GuestKernel } from './kernels.ts';
import { loadOrder } from './modules.ts';

const execute = promisify(execFile);

const MODULES = ['virtio_pci', 'virtiofs', 'overlay', 'virtio_net'];
const APPLETS = ['sh', 'mount', 'insmod', 'switch_root', 'mkdir', 'echo', 'cat'];
/** What unpacks a module; none: it is not packed. */
const UNPACKERS: Readonly<Record<string, readonly string[]>> = { xz: ['xz', '-dc'], zst: ['zstd', '-qdc'] };
const LARGEST_MODULE = 1 << 27;

/** `init`: the script. */
export async function makeInitrd(kernel: GuestKernel, tools: string, init: string): Promise<Uint8Array> {
  const release = readdirSync(kernel.modules)[0] ?? '';
  const folder = join(kernel.modules, release);
  const order = loadOrder(readFileSync(join(folder, 'modules.dep'), 'utf8'), MODULES);
  const modules = await Promise.all(
    order.map(async (path) => ({
      name: basename(path).replace(/\.ko.*/, '.ko'),
      file: await unpack(join(folder, path)),
    })),
  );
  const entries: CpioEntry[] = [
    ...['bin', 'proc', 'sys', 'dev', 'host', 'up', 'root', 'modules'].map((name) => ({
      name,
      content: 'folder' as const,
    })),
    { name: 'bin/busybox', content: { file: readFileSync(join(tools, 'bin/busybox')) } },
    ...APPLETS.map((name) => ({ name: `bin/${name}`, content: { link: 'busybox' } })),
    { name: 'modules/order', content: { file: Buffer.from(modules.map(({ name }) => `${name}\n`).join('')) } },
    ...modules.map(({ name, file }) => ({ name: `modules/${name}`, content: { file } })),
    { name: 'init', content: { file: readFileSync(init) } },
  ];
  return cpioArchive(entries);
}

async function unpack(path: string): Promise<Uint8Array> {
  const [program, ...args] = UNPACKERS[path.replace(/.*\.ko\.?/, '')] ?? [];
  if (program === undefined) return readFileSync(path);
  return (await execute(program, [...args, path], { encoding: 'buffer', maxBuffer: LARGEST_MODULE })).stdout;
}
