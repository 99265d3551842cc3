import type { Dice } from './dice.ts';
import { randomNetwork } from './random-network.ts';
import type { TwinSegment, TwinVxlanConfig } from './tap-twin.ts';
import type { TwinConfig } from './tun-twin.ts';

// Locally administered. The same in every segment: what tells tenants apart is the VNI.
const OWN_MAC = 0x02_00_00_00_ff_00;
const VTEP_MAC = 0x02_00_00_01_00_00;
const POD_MAC = 0x0a_58_00_00_00_00;
const PODS = 8;

const UNDERLAY4 = 0xc0000201;
const UNDERLAY6 = 0x2001_0db8n * 2n ** 96n + 1n;

/** A node with 1 to 4 segments: tenants with the same addresses, some that learn, some over IPv6. */
export function randomVxlanNetwork(dice: Dice): TwinVxlanConfig {
  const vnis = [1, 2, 2 ** 24 - 1, dice.between(3, 2 ** 24 - 2)];
  const segments: TwinSegment[] = [];
  for (let index = dice.between(1, 4); index > 0; index--)
    segments.push(randomSegment(dice, dice.pick(vnis), segments));
  return { segments, sourceCheck: !dice.oneIn(5), dscp: dice.pick([0, 0, 46, 'inherit'] as const) };
}

function randomSegment(dice: Dice, vni: number, others: readonly TwinSegment[]): TwinSegment {
  const network = randomNetwork(dice, dice.between(1, 12));
  let family: 4 | 6 = dice.oneIn(3) ? 6 : 4;
  let free = vni;
  // One VNI may be there once over IPv4 and once over IPv6.
  while (others.some((other) => other.vni === free && other.family === family)) {
    if (family === 6) free = (free % (2 ** 24 - 1)) + 1;
    family = family === 4 ? 6 : 4;
  }
  return {
    vni: free,
    family,
    mac: OWN_MAC,
    learning: dice.oneIn(2),
    own: network.own,
    peers: network.peers.map(({ subnets }, peer) => ({
      address: family === 4 ? UNDERLAY4 + peer : UNDERLAY6 + BigInt(peer),
      mac: VTEP_MAC + peer,
      prefixes: subnets,
    })),
  };
}

/** The segment as a network of the udp backend, for its generators of packets. Peer n has the PublicIP `publicIpOf(n)`. */
export function asNetwork(segment: TwinSegment): TwinConfig {
  return {
    peers: segment.peers.map(({ prefixes }, peer) => ({ publicIp: publicIpOf(peer), subnets: prefixes })),
    own: segment.own,
    icmpSources: { ipv4: 0, ipv6: undefined },
    sourceCheck: true,
  };
}

export function publicIpOf(peer: number): number {
  return UNDERLAY4 + peer;
}

/** An underlay address that is no peer's. */
export function strangerTo(dice: Dice, segment: TwinSegment): number | bigint {
  const beyond = segment.peers.length + dice.below(100);
  return segment.family === 4 ? UNDERLAY4 + beyond : UNDERLAY6 + BigInt(beyond);
}

/** The MAC address of a pod on that peer's host; hosts have some each. */
export function podMac(dice: Dice, peer: number): number {
  return POD_MAC + peer * 256 + dice.below(PODS);
}
