/** Records of the tap as readers get them. */
import type { TapRecord } from '../../lib/control/tap-client.ts';

/** 26 November 2026, 12:00:00.000001 UTC. */
export const TIME = 1_795_694_400_000_001_000n;

/** An IPv4 echo request from 10.244.1.2 to 10.244.2.2, 84 bytes, of which the headers and 4 bytes were kept. */
export const ECHO = Buffer.from(
  '4500005400014000 3f010000 0af40102 0af40202 0800abcd 00070009 00010203'.replaceAll(' ', ''),
  'hex',
);

export function tapRecordOf(changes: Partial<TapRecord> = {}): TapRecord {
  return {
    network: '',
    direction: 'outbound',
    verdict: 'forwarded',
    reason: null,
    peer: '192.0.2.2',
    train: null,
    superPacket: false,
    gsoSize: 0,
    packets: 1,
    timeIn: TIME,
    timeOut: TIME + 12_345n,
    bytes: new Uint8Array(ECHO),
    length: 84,
    ethernet: false,
    ...changes,
  };
}
