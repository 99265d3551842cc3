/**
 * Memory that the kernel fills with frames of a packet socket: a ring of blocks, TPACKET_V3. packet(7),
 * Documentation/networking/packet_mmap.rst.
 */
import {
  PACKET_RX_RING,
  PACKET_VERSION,
  SOL_PACKET,
  TPACKET_REQ_BLOCK_NR,
  TPACKET_REQ_BLOCK_SIZE,
  TPACKET_REQ_FRAME_NR,
  TPACKET_REQ_FRAME_SIZE,
  TPACKET_REQ_RETIRE_MS,
  TPACKET_REQ_SIZE,
  TPACKET_V3,
} from '../linux/packet.ts';
import { check, SyscallError } from './errno.ts';
import { errno, memoryAt, mmap, munmap, setsockopt } from './ffi.ts';
import { setOption } from './socket-option.ts';

/** Our choice: room for the largest super-packet there is, several times. A power of two, a multiple of the page size. */
export const RING_BLOCK = 512 * 1024;
/** Asked for and not used: TPACKET_V3 packs frames as they come. */
const FRAME_SIZE = 2048;

const PROT_READ_WRITE = 3;
const MAP_SHARED = 0x01;
const MAP_PRIVATE = 0x02;
const MAP_FIXED = 0x10;
const MAP_ANONYMOUS = 0x20;
const MAP_NORESERVE = 0x4000;

/** Ends a mapping when nothing looks at its memory any more: not before, or the look would end the process. */
const forgotten = new FinalizationRegistry(({ address, length }: { address: number; length: number }) => {
  munmap(address, length);
});

export interface PacketRing {
  readonly memory: ArrayBuffer;
  readonly blocks: number;
  /** Gives the ring back; what still looks at `memory` sees zeros. */
  readonly release: () => void;
}

/**
 * Gives the packet socket `fd` a ring of about `bytes`, whose blocks are handed over when full or after `retireMs`. Set
 * PACKET_VNET_HDR before. `object` names the socket in errors. Codes: the errno's name.
 */
export function mapRing(fd: number, bytes: number, retireMs: number, object: string): PacketRing {
  check(setOption(fd, SOL_PACKET, PACKET_VERSION, TPACKET_V3), 'setsockopt PACKET_VERSION', object);
  const blocks = Math.max(4, Math.ceil(bytes / RING_BLOCK));
  const request = new Uint8Array(TPACKET_REQ_SIZE);
  const view = new DataView(request.buffer);
  view.setUint32(TPACKET_REQ_BLOCK_SIZE, RING_BLOCK, true);
  view.setUint32(TPACKET_REQ_BLOCK_NR, blocks, true);
  view.setUint32(TPACKET_REQ_FRAME_SIZE, FRAME_SIZE, true);
  view.setUint32(TPACKET_REQ_FRAME_NR, (RING_BLOCK / FRAME_SIZE) * blocks, true);
  view.setUint32(TPACKET_REQ_RETIRE_MS, retireMs, true);
  check(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, request, request.length), 'setsockopt PACKET_RX_RING', object);
  const length = RING_BLOCK * blocks;
  const address = mmap(0, length, PROT_READ_WRITE, MAP_SHARED, fd, 0);
  if (address === -1) throw new SyscallError('mmap', object, errno());
  const memory = memoryAt(address, length);
  forgotten.register(memory, { address, length });
  const release = (): void => {
    // Other memory in the same place: a mapping of the socket would keep it alive, and receiving, after it is closed.
    mmap(address, length, PROT_READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
  };
  return { memory, blocks, release };
}
