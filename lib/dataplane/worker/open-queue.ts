/** A queue as its thread finds it: packet code over the shared memory, whose pages are there before the first packet. */
import { CONFIG_ENCAPSULATION, ENCAPSULATION_IPIP, IN_SLOT_SIZE, IN_SLOTS, OUT_FRAMES } from '../../fastpath/abi.ts';
import { loadFastpath } from '../../fastpath/load.ts';
import { addressOf } from '../../sys/ffi.ts';
import { adviseHugePages, touchMemory } from '../../sys/memory.ts';
import type { WorkerStart } from '../protocol.ts';
import { SLOTS_FOR_TRAINS } from './inbound.ts';
import { NeighborTables } from './neighbor/tables.ts';
import type { Queue } from './queue.ts';
import { StageClock } from './stage-clock.ts';
import { StormLimiter } from './storm.ts';

export function openQueue(start: WorkerStart, onRefused: Queue['onRefused']): Queue {
  const bytes = new Uint8Array(start.memory.buffer);
  const words = new Int32Array(start.memory.buffer);
  const fastpath = loadFastpath(start.memory);
  const base = addressOf(bytes);
  fastpath.setBase(BigInt(base));
  // Buffers. Measured, one CPU, one TCP stream: 4.1 Gb/s with small pages, 6.0 with huge ones (docs/adr/0003). Peers and routes
  // before them come page by page: of most clusters they are few.
  adviseHugePages(base + OUT_FRAMES, bytes.length - OUT_FRAMES);
  // All that every packet needs; more slots, cuts, learned addresses and the tap's rings come as they are used.
  touchMemory(words, OUT_FRAMES, IN_SLOTS + SLOTS_FOR_TRAINS * IN_SLOT_SIZE);
  return {
    fastpath,
    base,
    words,
    receive: start.receive,
    send: start.send,
    raw: words[CONFIG_ENCAPSULATION / 4] === ENCAPSULATION_IPIP,
    batch: start.batch,
    receiveSlots: start.batch > 1 ? SLOTS_FOR_TRAINS : 1,
    pending: undefined,
    flood: undefined,
    neighbors: new NeighborTables(fastpath, start.memory),
    storm: new StormLimiter(),
    clock: new StageClock(start.memory.buffer),
    nowMs: 0,
    onRefused,
  };
}
