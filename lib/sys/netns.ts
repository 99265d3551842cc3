/** Network namespaces of the calling thread: setns(2), network_namespaces(7). */
import { WeftError } from '../error.ts';
import { O_CLOEXEC, O_RDONLY } from '../linux/fcntl.ts';
import { check, Errno, SyscallError } from './errno.ts';
import { close, errno, open, setns } from './ffi.ts';

const CLONE_NEWNET = 0x40000000;
/** Of the thread, not of the process: they may differ. */
const OWN = '/proc/thread-self/ns/net';

/**
 * Runs `body` with the calling thread in the network namespace of the file `path` ("/run/netns/blue", "/proc/1234/ns/net")
 * and comes back, however `body` ends. Undefined: runs it where the thread is. Sockets, netlink sockets and TUN devices that
 * are opened inside belong to that namespace for good; paths under /proc/sys/net mean it while inside.
 *
 * `body` must be synchronous, and must start neither threads nor asynchronous file or DNS work: a thread begins in the
 * namespace of the one that makes it, so those of Node's pool could be left there.
 * Codes: NETNS_MISSING, NOT_PERMITTED (CAP_SYS_ADMIN), or the errno's name.
 */
export function withinNetns<T>(path: string | undefined, body: () => T): T {
  if (path === undefined) return runSynchronous(body);
  const target = openNamespace(path);
  try {
    const own = check(open(OWN, O_RDONLY | O_CLOEXEC), 'open', OWN);
    try {
      if (setns(target, CLONE_NEWNET) < 0) throw enterFailed(path, errno());
      try {
        return runSynchronous(body);
      } finally {
        check(setns(own, CLONE_NEWNET), 'setns', "this process's own network namespace");
      }
    } finally {
      close(own);
    }
  } finally {
    close(target);
  }
}

/** The number that the namespace of `netlink` has for that of the file `path`. Throws as withinNetns does. */
export function netnsIdOf(path: string, netlink: { netnsId(fd: number): number | undefined }): number | undefined {
  const fd = openNamespace(path);
  try {
    return netlink.netnsId(fd);
  } finally {
    close(fd);
  }
}

/** A body that waits would go on in the wrong namespace. */
function runSynchronous<T>(body: () => T): T {
  const result = body();
  if (result instanceof Promise) throw new TypeError('withinNetns: the body must not be asynchronous');
  return result;
}

function openNamespace(path: string): number {
  const fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd >= 0) return fd;
  const cause = new SyscallError('open', `network namespace "${path}"`, errno());
  if (cause.errno === Errno.ENOENT || cause.errno === Errno.ENOTDIR)
    throw missing(path, 'there is no such file', cause);
  throw cause.errno === Errno.EACCES ? notPermitted(path, cause) : cause;
}

function enterFailed(path: string, value: number): WeftError {
  const cause = new SyscallError('setns', `network namespace "${path}"`, value);
  // What "ip netns" leaves when its mount is gone is an empty file.
  if (value === Errno.EINVAL) return missing(path, 'the file is not a network namespace', cause);
  return value === Errno.EPERM ? notPermitted(path, cause) : cause;
}

function notPermitted(path: string, cause: SyscallError): WeftError {
  return new WeftError('NOT_PERMITTED', `Not permitted to enter network namespace "${path}": ${cause.message}`, {
    cause,
    hint: 'run as root, or give the process CAP_SYS_ADMIN',
  });
}

function missing(path: string, reason: string, cause: unknown): WeftError {
  const name = /^(?:\/var)?\/run\/netns\/([^/]+)$/.exec(path)?.[1];
  return new WeftError('NETNS_MISSING', `Cannot enter network namespace "${path}": ${reason}`, {
    cause,
    hint: name === undefined ? 'see "ip netns list" and "lsns -t net"' : `make it with "ip netns add ${name}"`,
  });
}
