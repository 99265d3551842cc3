/** A node with three segments, packets and datagrams for its tests: one that learns nothing, one that learns, one over IPv6. */
import { parsePrefix } from '../../lib/addr/prefix.ts';
import { Dice } from './dice.ts';
import { buildUdp, type IpFields, NO_EXTENSIONS } from './random-packets.ts';
import { behindVxlan } from './random-vxlan-datagrams.ts';
import type { TwinSegment, TwinVxlanConfig, TwinVxlanState, VxlanDatagram } from './tap-twin.ts';
import { PLAIN, withVnetHeader } from './vnet-header.ts';
import { SlowFdb } from './vxlan-fdb.ts';

export const prefixes = (...texts: string[]) => texts.map((text) => parsePrefix(text)!);
export const dice = new Dice(1);

export function stateOf(change: Partial<TwinVxlanState> = {}): TwinVxlanState {
  return { fdb: new SlowFdb(), now: 1000, mayFlood: () => true, neighbors: () => undefined, ...change };
}

export const OWN = 0x020000000001;
export const PEER = 0x020000000002;
export const OTHER = 0x020000000003;
export const POD = 0x0a5800000001;
export const LOCAL_POD = 0x0a58000000ff;
export const AT_PEER = 0xc0000202;
export const AT_OTHER = 0xc0000203;

export const ROUTED: TwinSegment = {
  vni: 1,
  family: 4,
  mac: OWN,
  learning: false,
  own: prefixes('10.244.1.0/24', 'fd00:0:0:1::/64'),
  peers: [
    { address: AT_PEER, mac: PEER, prefixes: prefixes('10.244.2.0/24', 'fd00:0:0:2::/64') },
    { address: AT_OTHER, mac: OTHER, prefixes: prefixes('10.244.3.0/24', '10.244.2.128/28') },
  ],
};
export const BRIDGED: TwinSegment = { ...ROUTED, vni: 2, learning: true };
export const OVER6: TwinSegment = {
  ...ROUTED,
  family: 6,
  peers: [{ address: 2n ** 125n, mac: PEER, prefixes: prefixes('10.244.2.0/24') }],
};
export const CONFIG: TwinVxlanConfig = { segments: [ROUTED, BRIDGED, OVER6], sourceCheck: true, dscp: 0 };

export const V4: IpFields = {
  source: 0x0af40105,
  destination: 0x0af40205,
  ttl: 1,
  tos: 0,
  id: 7,
  dontFragment: true,
  options: new Uint8Array(0),
  flowLabel: 0,
  extensions: NO_EXTENSIONS,
};
export const V6: IpFields = {
  ...V4,
  source: (0xfdn << 120n) + (1n << 64n) + 5n,
  destination: (0xfdn << 120n) + (2n << 64n) + 5n,
};
export const PORTS = { sourcePort: 1, destinationPort: 2 };
export const udp = (ip: IpFields, length = 8) => buildUdp(ip, PORTS, dice.bytes(length), 'finished').packet;

export const TO_US = { source: PEER, destination: OWN };
export const TO_POD = { source: POD, destination: LOCAL_POD };
export const IN4: IpFields = { ...V4, source: V4.destination, destination: V4.source };
export const IN6: IpFields = { ...V6, source: V6.destination, destination: V6.source };
export const arrives = (
  frame: Uint8Array,
  vni = 1,
  outerSource: number | bigint = AT_PEER,
  outerTos = 0,
): VxlanDatagram => ({
  outerFamily: typeof outerSource === 'bigint' ? 6 : 4,
  outerSource,
  outerTos,
  bytes: behindVxlan(vni, frame),
});
/** As read from a TAP. */
export const plain = (frame: Uint8Array) => withVnetHeader(PLAIN, frame);
