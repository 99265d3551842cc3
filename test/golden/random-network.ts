import { type Ipv6Prefix, type Prefix, parsePrefix } from '../../lib/addr/prefix.ts';
import type { Dice } from './dice.ts';
import type { TwinConfig, TwinPeer } from './tun-twin.ts';

/** The own lease in every random network. */
const OWN4 = '10.244.1.0/24';
const OWN6 = 'fd00:244:0:1::/64';

/** A node with 1 to 40 peers: /24 and /64 leases as flannel hands them out, and now and then a prefix of another length. */
export function randomNetwork(dice: Dice, peerCount = dice.between(1, 40)): TwinConfig {
  const peers: TwinPeer[] = [];
  for (let index = 0; index < peerCount; index++) {
    const subnets = [prefix(`10.244.${index + 2}.0/24`), prefix(`fd00:244:0:${(index + 2).toString(16)}::/64`)];
    // Reservations of any size may stand beside the ordinary leases, also inside another node's.
    if (dice.oneIn(4)) subnets.push(prefix(`10.${dice.between(0, 243)}.${index}.0/${dice.between(16, 30)}`));
    if (dice.oneIn(4)) subnets.push(prefix(`10.244.${dice.between(2, peerCount + 1)}.${index * 4}/30`));
    if (dice.oneIn(4)) subnets.push(prefix(`fd00:244:${index + 1}::/${dice.between(48, 126)}`));
    peers.push({ publicIp: 0xc0000201 + index, subnets: subnets.filter((one) => !isTaken(one, peers)) });
  }
  return {
    peers,
    own: [prefix(OWN4), prefix(OWN6)],
    icmpSources: { ipv4: 0x0af40100, ipv6: (prefix(OWN6) as Ipv6Prefix).address },
    sourceCheck: true,
  };
}

/** An address in `prefix`. */
export function addressIn(dice: Dice, inside: Prefix): number | bigint {
  const low = BigInt(dice.next()) * 2n ** 96n + BigInt(dice.next()) * 2n ** 64n + BigInt(dice.next()) * 2n ** 32n;
  if (inside.family === 6) {
    const hostBits = BigInt(128 - inside.length);
    return inside.address + ((low + BigInt(dice.next())) & ((1n << hostBits) - 1n));
  }
  return inside.address + dice.below(2 ** (32 - inside.length));
}

function isTaken(one: Prefix, peers: readonly TwinPeer[]): boolean {
  return peers.some(({ subnets }) =>
    subnets.some((other) => other.address === one.address && other.length === one.length),
  );
}

function prefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  if (parsed === undefined) throw new Error(`not a prefix: ${text}`);
  return parsed;
}
