/** Records as a data plane writes them, put together by hand. */
import type { RawTapRecord } from '../../lib/control/tap-messages.ts';

/** As it lies in a ring: times in ms, without the clock that is added to them. */
export function tapRecord(record: RawTapRecord, clock = 0n): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array((72 + record.bytes.length + 7) & ~7);
  const view = new DataView(bytes.buffer);
  const ms = (time: bigint): number => (time === 0n ? 0 : Number(time - clock) / 1_000_000);
  view.setUint32(0, bytes.length, true);
  bytes.set([Number(record.inbound), record.verdict, record.reason, Number(record.superPacket)], 4);
  view.setUint16(8, record.network, true);
  view.setUint16(10, record.gsoSize, true);
  view.setUint32(12, record.length, true);
  view.setUint32(16, record.packets, true);
  view.setUint16(20, record.trainPackets, true);
  view.setUint16(22, record.trainIndex, true);
  view.setFloat64(24, ms(record.timeIn), true);
  view.setFloat64(32, ms(record.timeOut), true);
  bytes[40] = record.peer.length === 16 ? 6 : record.peer.length;
  bytes[41] = Number(record.ethernet);
  view.setUint16(42, record.bytes.length, true);
  bytes.set(record.peer, 44);
  // What is the worker's alone.
  bytes.fill(0xee, 60, 72);
  bytes.set(record.bytes, 72);
  return bytes;
}
