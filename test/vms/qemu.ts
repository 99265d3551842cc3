/** QEMU: with KVM where the machine has it, else emulated. The root comes from virtiofsd. */
import type { Program } from './guest.ts';
import type { GuestKernel, Qemu } from './kernels.ts';
import { macOf, tapOf } from './wire.ts';

export interface QemuMachine {
  readonly number: number;
  readonly memoryMb: number;
  readonly kvm: boolean;
  readonly kernel: GuestKernel;
  /** Files. */
  readonly initrd: string;
  /** Sockets of virtiofsd by the tag that the guest mounts. */
  readonly shares: Readonly<Record<string, string>>;
  /** Of guest-init.sh, which the kernel hands on as environment. */
  readonly parameters: Readonly<Record<string, string>>;
}

function environmentOf({ libraries }: Qemu): Readonly<Record<string, string>> {
  return libraries === '' ? {} : { LD_LIBRARY_PATH: libraries };
}

/** The process that serves a folder of this machine to one guest, at `socket`. `rust`: the newer virtiofsd, with other options. */
export function virtiofsdProgram(qemu: Qemu, folder: string, socket: string, rust: boolean): Program {
  const options = rust
    ? [`--shared-dir=${folder}`, '--sandbox=chroot', '--cache=auto']
    : ['-o', `source=${folder}`, '-o', 'sandbox=chroot', '-o', 'cache=auto'];
  return { argv: [qemu.virtiofsd, `--socket-path=${socket}`, ...options], environment: environmentOf(qemu) };
}

export function qemuProgram(qemu: Qemu, machine: QemuMachine): Program {
  const { number, memoryMb, kernel, kvm } = machine;
  const append = [
    'console=ttyS0',
    'quiet',
    // An emulated timer that comes late on a busy machine is no reason to panic.
    'no_timer_check',
    'net.ifnames=0',
    'panic=-1',
    ...Object.entries(machine.parameters).map(([name, value]) => `${name}=${value}`),
  ].join(' ');
  const options: (readonly [string, string?])[] = [
    ['-nodefaults'],
    ['-no-user-config'],
    // A guest that restarts ends here; whoever started it starts it again.
    ['-no-reboot'],
    ['-display', 'none'],
    ['-serial', 'stdio'],
    // microvm does not boot Debian's kernels.
    ['-M', 'q35'],
    ['-cpu', kvm ? 'host' : 'max'],
    ['-accel', kvm ? 'kvm' : 'tcg,thread=multi'],
    ['-smp', '1'],
    ['-m', String(memoryMb)],
    // Shared with virtiofsd.
    ['-object', `memory-backend-memfd,id=memory,size=${memoryMb}M,share=on`],
    ['-numa', 'node,memdev=memory'],
    ...Object.entries(machine.shares).flatMap(([tag, socket]): (readonly [string, string])[] => [
      ['-chardev', `socket,id=${tag},path=${socket}`],
      ['-device', `vhost-user-fs-pci,chardev=${tag},tag=${tag}`],
    ]),
    ['-netdev', `tap,id=wire,ifname=${tapOf(number)},script=no,downscript=no`],
    ['-device', `virtio-net-pci,netdev=wire,romfile=,mac=${macOf(number)}`],
    ['-kernel', kernel.image],
    ['-initrd', machine.initrd],
    ['-append', append],
  ];
  const firmware = qemu.firmware.flatMap((folder) => ['-L', folder]);
  const argv = [qemu.program, ...firmware, ...options.flatMap((option) => option as readonly string[])];
  return { argv, environment: environmentOf(qemu) };
}
