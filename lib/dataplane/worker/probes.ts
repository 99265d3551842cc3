/** Sends probes that the main thread wrote down, and the answers to those of other nodes (lib/fastpath/assembly/inbound/probe.ts). */
import { performance } from 'node:perf_hooks';
import {
  CONFIG_PROBE_ECHOES,
  CONFIG_PROBES_TAKEN,
  CONFIG_PROBES_WANTED,
  COUNT_PROBES_SENT,
  COUNTER_BLOCK,
  COUNTERS,
  ECHO_AT,
  ECHO_LENGTH,
  ECHO_PEER,
  PEER_ADDRESS,
  PEER_ADDRESS_LENGTH,
  PEER_EPOCH,
  PEER_SEGMENT,
  PEER_SIZE,
  PEER_SOCKETS,
  PEERS,
  PROBE_BYTES,
  PROBE_ECHO_SIZE,
  PROBE_ECHOES,
  PROBE_EPOCH,
  PROBE_IOVECS,
  PROBE_LENGTH,
  PROBE_MESSAGE,
  PROBE_PEER,
  PROBE_SEQUENCE,
  PROBE_SIZE,
  PROBE_SLOTS,
  PROBE_TIME_SLOTS,
  PROBE_TIMES,
  PROBE_ZEROS,
  PROBES,
  ZEROS,
} from '../../fastpath/abi.ts';
import {
  IOVEC_BASE,
  IOVEC_LEN,
  IOVEC_SIZE,
  MSGHDR_IOV,
  MSGHDR_IOVLEN,
  MSGHDR_NAME,
  MSGHDR_NAMELEN,
} from '../../linux/msghdr.ts';
import { MSG_DONTWAIT } from '../../linux/socket.ts';
import { errno, sendmmsg } from '../../sys/ffi.ts';
import { Fragmentation, fragmentationOf, setFragmentation } from '../../sys/socket-option.ts';
import type { UnderlaySocket } from '../segment.ts';
import type { Queue } from './queue.ts';
import { isLate } from './send.ts';

/** A send that fails for what an earlier packet met is tried again. */
const TRIES = 3;

/** Sends what the main thread has written since. What cannot be sent is lost, as on the way. */
export function sendProbes(queue: Queue): void {
  const { words } = queue;
  const wanted = Atomics.load(words, CONFIG_PROBES_WANTED / 4);
  let taken = words[CONFIG_PROBES_TAKEN / 4]!;
  if (taken === wanted) return;
  for (; taken !== wanted; taken = (taken + 1) | 0) sendProbe(queue, PROBES + (taken & (PROBE_SLOTS - 1)) * PROBE_SIZE);
  Atomics.store(words, CONFIG_PROBES_TAKEN / 4, taken);
}

function sendProbe(queue: Queue, slot: number): void {
  const { words } = queue;
  const peer = words[(slot + PROBE_PEER) / 4]!;
  const record = PEERS + peer * PEER_SIZE;
  // The number is another's by now.
  if (words[(record + PEER_EPOCH) / 4] !== words[(slot + PROBE_EPOCH) / 4]) return;
  iovec(queue, 0, slot + PROBE_BYTES, words[(slot + PROBE_LENGTH) / 4]!);
  iovec(queue, 1, ZEROS, words[(slot + PROBE_ZEROS) / 4]!);
  const sequence = words[(slot + PROBE_SEQUENCE) / 4]!;
  const sentAt = performance.now();
  if (!send(queue, record, 2, true)) return;
  // Before anything is received in this thread.
  new Float64Array(words.buffer, PROBE_TIMES, PROBE_TIME_SLOTS)[sequence % PROBE_TIME_SLOTS] = sentAt;
  const segment = words[(record + PEER_SEGMENT) / 4]!;
  new BigUint64Array(words.buffer, COUNTERS + segment * COUNTER_BLOCK, COUNTER_BLOCK / 8)[COUNT_PROBES_SENT]! += 1n;
}

/** Before the next receive, for they lie where they came. */
export function sendEchoes(queue: Queue): void {
  const { words } = queue;
  const count = words[CONFIG_PROBE_ECHOES / 4]!;
  for (let i = 0; i < count; i++) {
    const slot = PROBE_ECHOES + i * PROBE_ECHO_SIZE;
    iovec(queue, 0, words[(slot + ECHO_AT) / 4]!, words[(slot + ECHO_LENGTH) / 4]!);
    send(queue, PEERS + words[(slot + ECHO_PEER) / 4]! * PEER_SIZE, 1, false);
  }
  words[CONFIG_PROBE_ECHOES / 4] = 0;
}

function iovec({ words, base }: Queue, n: number, at: number, length: number): void {
  const view = new DataView(words.buffer, PROBE_IOVECS + n * IOVEC_SIZE, IOVEC_SIZE);
  view.setBigUint64(IOVEC_BASE, BigInt(base + at), true);
  view.setBigUint64(IOVEC_LEN, BigInt(length), true);
}

/** `exact`: the outer packet has DF and is as long as it may be; no path MTU that the kernel believes in counts. */
function send(queue: Queue, record: number, iovecs: number, exact: boolean): boolean {
  const { words, base } = queue;
  const socket = queue.send[new Uint16Array(words.buffer, record + PEER_SOCKETS, 1)[0]!]!;
  const view = new DataView(words.buffer, PROBE_MESSAGE, 64);
  view.setBigUint64(MSGHDR_NAME, BigInt(base + record + PEER_ADDRESS), true);
  view.setUint32(MSGHDR_NAMELEN, words[(record + PEER_ADDRESS_LENGTH) / 4]!, true);
  view.setBigUint64(MSGHDR_IOV, BigInt(base + PROBE_IOVECS), true);
  view.setBigUint64(MSGHDR_IOVLEN, BigInt(iovecs), true);
  return exact ? withDf(socket, () => sendNow(queue, socket)) : sendNow(queue, socket);
}

function withDf(socket: UnderlaySocket, body: () => boolean): boolean {
  const before = fragmentationOf(socket.fd, socket.family);
  if (before === Fragmentation.probing) return body();
  setFragmentation(socket.fd, Fragmentation.probing, socket.family);
  const sent = body();
  setFragmentation(socket.fd, before, socket.family);
  return sent;
}

function sendNow({ base }: Queue, { fd }: UnderlaySocket): boolean {
  for (let tries = 0; tries < TRIES; tries++) {
    if (sendmmsg(fd, base + PROBE_MESSAGE, 1, MSG_DONTWAIT) > 0) return true;
    if (!isLate(errno())) return false;
  }
  return false;
}
