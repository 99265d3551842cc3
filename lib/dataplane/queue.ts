import type { PacketKernels } from '../fastpath/load.ts';
import type { OffloadName } from './stats.ts';

/** Everything one data-plane thread works with. Addresses handed to system calls are `base` + offset (lib/fastpath/abi.ts). */
export interface Queue {
  readonly kernels: PacketKernels;
  readonly base: number;
  /** The queue's memory as 32-bit words: word i is byte 4 i. */
  readonly words: Int32Array;
  readonly tunFd: number;
  readonly socketFd: number;
  /** Bytes of virtio_net_hdr before each packet on the TUN: 10 or 0. */
  readonly vnetHeader: number;
  /** Frames a turn takes before it sends; 1 is one packet a system call. */
  readonly batch: number;
  readonly receiveSlots: number;
  /** The first train of an interrupted send: the socket's buffer was full. While there is one, the TUN is not read. */
  pending: number | undefined;
  /** Told once when the kernel refuses an offload. */
  readonly onRefused: (offload: OffloadName, reason: string) => void;
}

/** What a turn returns when the device is gone; otherwise the number of frames or messages it took. */
export const DEVICE_LOST = -1;
