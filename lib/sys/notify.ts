/**
 * sd_notify(3): reports to systemd how the service is doing, in one datagram to the AF_UNIX socket named in NOTIFY_SOCKET.
 * Node has no unix datagram sockets, and libsystemd need not be installed for this.
 */
import { AF_UNIX } from '../linux/sockaddr.ts';
import { MSG_DONTWAIT, MSG_NOSIGNAL, SOCK_CLOEXEC, SOCK_DGRAM } from '../linux/socket.ts';
import { Errno, SyscallError } from './errno.ts';
import { close, errno, sendto, socket } from './ffi.ts';

/** include/uapi/linux/un.h */
const SUN_PATH_MAX = 108;

/** Well-known lines: sd_notify(3), "Well-known assignments". */
export interface ServiceState {
  readonly ready?: true;
  readonly stopping?: true;
  /** One line for `systemctl status`. */
  readonly status?: string;
}

/**
 * Sends `state` to `socketName`: a path, or `@name` for the abstract namespace. Never blocks. Throws SyscallError when the
 * manager cannot be reached, EINVAL for a name of another kind (such as vsock:) or one that is too long.
 */
export function notifyService(socketName: string, state: ServiceState): void {
  const lines: string[] = [];
  if (state.ready === true) lines.push('READY=1');
  if (state.stopping === true) lines.push('STOPPING=1');
  if (state.status !== undefined) lines.push(`STATUS=${state.status.replaceAll('\n', ' ')}`);
  const message = Buffer.from(lines.join('\n'));
  const address = socketAddress(socketName);
  const fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw new SyscallError('socket', 'AF_UNIX datagram', errno());
  try {
    const sent = sendto(fd, message, message.length, MSG_DONTWAIT | MSG_NOSIGNAL, address, address.length);
    if (sent < 0) throw new SyscallError('sendto', `notify socket ${JSON.stringify(socketName)}`, errno());
  } finally {
    close(fd);
  }
}

/** struct sockaddr_un: the family in the host's byte order, then the name; an abstract one begins with a zero byte. */
function socketAddress(name: string): Buffer {
  const path = Buffer.from(name);
  const abstract = name.startsWith('@');
  if ((!abstract && !name.startsWith('/')) || path.length + (abstract ? 0 : 1) > SUN_PATH_MAX)
    throw new SyscallError('sendto', `notify socket ${JSON.stringify(name)}`, Errno.EINVAL);
  if (abstract) path[0] = 0;
  const family = new Uint8Array(new Uint16Array([AF_UNIX]).buffer);
  return Buffer.concat(abstract ? [family, path] : [family, path, Buffer.alloc(1)]);
}
