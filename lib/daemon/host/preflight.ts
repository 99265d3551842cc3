/** What can be known to fail before a lease is taken. */
import { readFileSync, statSync } from 'node:fs';
import { cpus } from 'node:os';
import { messageOf, WeftError } from '../../error.ts';

/** include/uapi/linux/capability.h */
const CAP_NET_ADMIN = 12n;
const CAP_SYS_ADMIN = 21n;
const TUN_PATH = '/dev/net/tun';

/** `entersNetns`: some network has a network namespace of its own. Throws WeftError NOT_PERMITTED. */
export function checkPrivileges(entersNetns: boolean): void {
  const capabilities = effectiveCapabilities();
  if ((capabilities & (1n << CAP_NET_ADMIN)) === 0n)
    throw new WeftError('NOT_PERMITTED', 'CAP_NET_ADMIN is missing: Linux lets nobody else make network devices', {
      hint: 'run as root (sudo weftd ...), or give the service AmbientCapabilities=CAP_NET_ADMIN',
    });
  if (entersNetns && (capabilities & (1n << CAP_SYS_ADMIN)) === 0n)
    throw new WeftError('NOT_PERMITTED', 'CAP_SYS_ADMIN is missing: Linux lets nobody else enter a network namespace', {
      hint: 'run as root, or give the service CAP_SYS_ADMIN too, and RestrictNamespaces=net; or leave netns= out of -network',
    });
}

/** For backends that have a data plane. Throws WeftError NO_TUN_DEVICE or CPU_WITHOUT_SIMD. */
export function checkDataPlane(): void {
  checkSimd();
  checkTunDevice();
}

/** (module (func (result v128) i32.const 0 i8x16.splat)): the least that uses SIMD. Header, then types, functions and code. */
const SIMD_MODULE = new Uint8Array([
  0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x05, 0x01, 0x60, 0x00, 0x01, 0x7b, 0x03, 0x02, 0x01, 0x00,
  0x0a, 0x08, 0x01, 0x06, 0x00, 0x41, 0x00, 0xfd, 0x0f, 0x0b,
]);

/** V8 compiles SIMD of WebAssembly, which the packet code is made of, only for CPUs with SSSE3 and SSE4.1 (x86-64-v2). */
function checkSimd(): void {
  try {
    new WebAssembly.Module(SIMD_MODULE);
  } catch (error) {
    const cpu = cpus()[0]?.model.trim() || 'unknown';
    throw new WeftError('CPU_WITHOUT_SIMD', `The CPU (${cpu}) lacks SSSE3 or SSE4.1: ${messageOf(error)}`, {
      cause: error,
      hint:
        'a virtual machine: give it the CPU model "host" or x86-64-v2 (QEMU -cpu host, Proxmox cpu: host, libvirt ' +
        'mode="host-passthrough"); without it backends host-gw and alloc work',
    });
  }
}

function checkTunDevice(): void {
  let problem: string | undefined;
  try {
    if (!statSync(TUN_PATH).isCharacterDevice()) problem = 'it is not a device';
  } catch (error) {
    problem = messageOf(error);
  }
  if (problem !== undefined)
    throw new WeftError('NO_TUN_DEVICE', `Cannot use ${TUN_PATH}: ${problem}`, {
      hint: 'load the module with "modprobe tun"; in a container pass the device, for example --device /dev/net/tun',
    });
}

/** proc(5), /proc/pid/status: CapEff is a mask in hexadecimal. */
function effectiveCapabilities(): bigint {
  const mask = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  return mask === undefined ? 0n : BigInt(`0x${mask}`);
}
