/** What can be known to fail before a lease is taken. */
import { readFileSync, statSync } from 'node:fs';
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

/** For backends that make a TUN or TAP. Throws WeftError NO_TUN_DEVICE. */
export function checkTunDevice(): void {
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
