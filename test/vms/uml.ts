/** User-mode Linux: a kernel that runs as a program, with no emulation and no /dev/kvm. */
import type { Program } from './guest.ts';
import { SCRATCH } from './isolate.ts';
import type { GuestKernel } from './kernels.ts';
import { macOf, tapOf } from './wire.ts';

/**
 * The command that boots guest `number`. `parameters`: of guest-init.sh, which the kernel hands on as environment. `init` is
 * process 1 of the guest, a path of this machine.
 */
export function umlProgram(
  kernel: GuestKernel,
  number: number,
  memoryMb: number,
  init: string,
  parameters: Readonly<Record<string, string>>,
): Program {
  const network = `transport=tap,ifname=${tapOf(number)},mac=${macOf(number)},depth=64,gro=1`;
  return {
    argv: [
      kernel.image,
      // Since 6.16; without it ptrace(2) takes each system call, several times dearer. Not for guests one does not trust.
      ...(kernel.seccomp === true ? ['seccomp=on'] : []),
      `mem=${memoryMb}M`,
      'root=/dev/root',
      'rootfstype=hostfs',
      'rootflags=/',
      'ro',
      `init=${init}`,
      `umid=guest${number}`,
      // Without it sockets are left in ~/.uml.
      `uml_dir=${SCRATCH}/uml`,
      'con=null',
      'con0=null,fd:1',
      'quiet',
      `vec0:${network}`,
      ...Object.entries(parameters).map(([name, value]) => `${name}=${value}`),
    ],
    // The guest's memory is a file there; elsewhere it would lie on a disk.
    environment: { TMPDIR: SCRATCH },
  };
}
