/** Who is at the other end of a unix socket, as the kernel knows it since they connected. unix(7), SO_PEERCRED, SO_PEERGROUPS. */
import { SOL_SOCKET } from '../linux/socket.ts';
import { dup, getsockopt, ioctlValue } from './ffi.ts';

const SO_PEERCRED = 17;
const SO_PEERGROUPS = 59;
const FIOCLEX = 0x5451;
/** NGROUPS_MAX is 65,536; who is in more groups than this is not known to be in the others. */
const MOST_GROUPS = 4096;

export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups. */
  readonly groups: readonly number[];
}

/** Undefined where the kernel does not say. */
export function peerCredentials(fd: number): PeerCredentials | undefined {
  const ids = new Int32Array(3);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, new Uint8Array(ids.buffer), lengthOf(12)) < 0) return undefined;
  const groups = new Uint32Array(MOST_GROUPS);
  const length = lengthOf(groups.byteLength);
  const known = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, new Uint8Array(groups.buffer), length) >= 0;
  const count = known ? new DataView(length.buffer).getUint32(0, true) / 4 : 0;
  return { pid: ids[0]!, uid: ids[1]! >>> 0, gid: ids[2]! >>> 0, groups: [...groups.subarray(0, count)] };
}

function lengthOf(bytes: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Uint32Array.of(bytes).buffer);
}

/** Another descriptor of the same socket, to be closed by itself; undefined when there is none left. */
export function duplicate(fd: number): number | undefined {
  const copy = dup(fd);
  if (copy < 0) return undefined;
  ioctlValue(copy, FIOCLEX, 0);
  return copy;
}
