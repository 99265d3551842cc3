/** The kinds of guests, and where their kernels come from. */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { copyFile, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { type Debian, GuestUnavailable, type Suite } from './debian.ts';

const execute = promisify(execFile);

export const KIND_NAMES = ['uml72', 'uml61', 'qemu61', 'qemu612'] as const;
export type KindName = (typeof KIND_NAMES)[number];

/** A kernel, unpacked. */
export interface GuestKernel {
  /** The file to start. */
  readonly image: string;
  /** lib/modules, with a folder named after the release. */
  readonly modules: string;
  /** Of User-mode Linux: it can take system calls by seccomp(2). */
  readonly seccomp?: boolean;
}

interface Kind {
  readonly machine: 'uml' | 'qemu';
  /** For people. */
  readonly title: string;
  readonly suite: Suite;
}

export const KINDS: Readonly<Record<KindName, Kind>> = {
  uml72: { machine: 'uml', title: "Debian sid's User-mode Linux", suite: 'sid' },
  uml61: { machine: 'uml', title: "Debian 12's User-mode Linux", suite: 'bookworm' },
  qemu61: { machine: 'qemu', title: "QEMU, Debian 12's cloud kernel", suite: 'bookworm' },
  qemu612: { machine: 'qemu', title: "QEMU, Debian 13's cloud kernel", suite: 'trixie' },
};

/** Programs that a guest needs and the machine may lack: kmod, busybox, patchelf. The folder has sbin/modprobe. */
export async function fetchTools(debian: Debian): Promise<string> {
  return debian.unpacked('tools', 'bookworm', ['kmod', 'busybox-static', 'patchelf'], async (folder) => {
    // The package's links name /bin/kmod, which need not be there.
    for (const name of ['modprobe', 'rmmod', 'depmod']) {
      await rm(join(folder, 'sbin', name), { force: true });
      await symlink('../bin/kmod', join(folder, 'sbin', name));
    }
  });
}

/** Throws GuestUnavailable. */
export async function fetchKernel(debian: Debian, name: KindName, tools: string): Promise<GuestKernel> {
  const { machine, suite } = KINDS[name];
  return machine === 'uml' ? fetchUml(debian, name, suite, tools) : fetchCloudKernel(debian, suite, tools);
}

async function fetchUml(debian: Debian, name: KindName, suite: Suite, tools: string): Promise<GuestKernel> {
  // sid's binary wants sid's C library: it runs with the loader and libraries unpacked beside it.
  const own = suite === 'sid';
  const packages = own ? ['user-mode-linux', 'libc6'] : ['user-mode-linux'];
  const folder = await debian.unpacked(name, suite, packages, async (root) => {
    await copyFile(join(root, 'usr/bin/linux.uml'), join(root, 'linux'));
    const libraries = join(root, 'usr/lib/x86_64-linux-gnu');
    const loader = ['--set-interpreter', join(libraries, 'ld-linux-x86-64.so.2'), '--set-rpath', libraries];
    if (own) await execute(join(tools, 'usr/bin/patchelf'), [...loader, join(root, 'linux')]);
  });
  return { image: join(folder, 'linux'), modules: join(folder, 'usr/lib/uml/modules'), seccomp: own };
}

async function fetchCloudKernel(debian: Debian, suite: Suite, tools: string): Promise<GuestKernel> {
  const meta = { meta: 'linux-image-cloud-amd64', means: /linux-image-\d\S*-cloud-amd64/ };
  const folder = await debian.unpacked(`linux-${suite}`, suite, meta, async (root) => {
    const modules = modulesOf(root);
    // The package's installation would do it.
    await execute(join(tools, 'sbin/depmod'), ['-b', dirname(dirname(modules)), readdirSync(modules)[0]!]);
  });
  const image = readdirSync(join(folder, 'boot')).find((file) => file.startsWith('vmlinuz-'));
  if (image === undefined)
    throw new GuestUnavailable(`Cannot boot Debian ${suite}'s cloud kernel: its package has no vmlinuz`);
  return { image: join(folder, 'boot', image), modules: modulesOf(folder) };
}

/** Since Debian 13 below usr. */
function modulesOf(folder: string): string {
  const merged = join(folder, 'usr/lib/modules');
  return existsSync(merged) ? merged : join(folder, 'lib/modules');
}

/** QEMU and virtiofsd, and where they find their libraries. */
export interface Qemu {
  readonly program: string;
  readonly virtiofsd: string;
  /** Folders with firmware; none: the program knows them. */
  readonly firmware: readonly string[];
  /** LD_LIBRARY_PATH; '' for those of the machine. */
  readonly libraries: string;
}

const QEMU_PACKAGES = [
  'qemu-system-x86 qemu-system-common qemu-system-data seabios',
  'libbrlapi0.8 libcacard0 libcapstone4 libexecs0 libfdt1 libslirp0 libspice-server1 libusbredirparser1 libvdeplug2 libpmem1',
  'librdmacm1 libibverbs1 liburing2 libfuse3-3 libaio1 libndctl6 libdaxctl1 libnl-3-200 libnl-route-3-200 libpixman-1-0',
  'libseccomp2 libglib2.0-0 libgnutls30 libjpeg62-turbo libpng16-16 libsasl2-2 libepoxy0 libgbm1 libnuma1 libnettle8',
  'libudev1 libzstd1',
].flatMap((line) => line.split(' '));

/** Where distributions keep virtiofsd: that of QEMU up to 7.2, and the one in Rust. */
const VIRTIOFSD = ['/usr/lib/qemu/virtiofsd', '/usr/libexec/virtiofsd'];

/** The machine's own, else Debian 12's, unpacked. Throws GuestUnavailable. */
export async function fetchQemu(debian: Debian): Promise<Qemu> {
  const own = '/usr/bin/qemu-system-x86_64';
  const virtiofsd = VIRTIOFSD.find((path) => existsSync(path));
  if (existsSync(own) && virtiofsd !== undefined) return { program: own, virtiofsd, firmware: [], libraries: '' };
  const folder = await debian.unpacked('qemu', 'bookworm', QEMU_PACKAGES);
  const at = (path: string): string => join(folder, path);
  return {
    program: at('usr/bin/qemu-system-x86_64'),
    virtiofsd: at('usr/lib/qemu/virtiofsd'),
    firmware: [at('usr/share/qemu'), at('usr/share/seabios')],
    libraries: `${at('usr/lib/x86_64-linux-gnu')}:${at('lib/x86_64-linux-gnu')}`,
  };
}
