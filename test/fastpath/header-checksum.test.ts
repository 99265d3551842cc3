// A header checksum that is changed in place (RFC 1624) must come out as a sum of the whole header does. There are two
// zeros in ones' complement: 0xffff would be as valid as 0, but Linux writes 0, and so does our twin.
import test from 'ava';
import { formatPrefix, parsePrefix } from '../../lib/addr/prefix.ts';
import { ENCAPSULATION_IP_IN_UDP, ENCAPSULATION_IPIP } from '../../lib/fastpath/abi.ts';
import { get16 } from '../golden/octets.ts';
import { buildUdp, type IpFields, NO_EXTENSIONS } from '../golden/random-packets.ts';
import { type TwinConfig, twinInbound, twinOutbound } from '../golden/tun-twin.ts';
import { PLAIN, withVnetHeader } from '../golden/vnet-header.ts';
import { toHex } from '../wire/bytes.ts';
import { Harness } from './harness.ts';

const PUBLIC_IP = 0xc0000202;
const OUT: IpFields = {
  source: 0x0af40105,
  destination: 0x0af40205,
  ttl: 64,
  tos: 0,
  id: 0,
  dontFragment: true,
  options: new Uint8Array(0),
  flowLabel: 0,
  extensions: NO_EXTENSIONS,
};
const IN: IpFields = { ...OUT, source: OUT.destination, destination: OUT.source };
const udp = (ip: IpFields) => buildUdp(ip, { sourcePort: 1, destinationPort: 2 }, new Uint8Array(4), 'finished').packet;

for (const isHop of [true, false]) {
  const config: TwinConfig = {
    peers: [{ publicIp: PUBLIC_IP, subnets: [parsePrefix('10.244.2.0/24')!] }],
    own: [parsePrefix('10.244.1.0/24')!],
    icmpSources: { ipv4: 0, ipv6: undefined },
    sourceCheck: true,
    isHop,
  };
  const harness = new Harness({
    own4: formatPrefix(config.own[0]!),
    peers: [{ publicIp: PUBLIC_IP, prefixes: ['10.244.2.0/24'] }],
    encapsulation: isHop ? ENCAPSULATION_IP_IN_UDP : ENCAPSULATION_IPIP,
  });
  const name = isHop ? 'IP in UDP' : 'IP in IP';

  test(`${name}, outbound: a checksum that comes out as 0, and its neighbours`, (t) => {
    const twin = (ip: IpFields) => twinOutbound(config, [withVnetHeader(PLAIN, udp(ip))]).datagrams[0]!.bytes;
    const zero = idForZero(twin, OUT);
    for (const id of [zero - 1, zero, zero + 1]) {
      const ip = { ...OUT, id };
      const { datagrams } = harness.outbound([withVnetHeader(PLAIN, udp(ip))]);
      t.is(toHex(datagrams[0]!.bytes), toHex(twin(ip)));
    }
    t.is(get16(twin({ ...OUT, id: zero }), 10), 0);
  });

  for (const inner of [1, 2, 3])
    for (const outerTos of [0, 1, 2, 3])
      test(`${name}, inbound, ECN ${inner} and outside ${outerTos}: a checksum that comes out as 0, and its neighbours`, (t) => {
        const outer = isHop ? [] : [0x45, outerTos, ...new Uint8Array(18)];
        const arrives = (ip: IpFields) => ({ outerSource: PUBLIC_IP, outerTos, bytes: udp(ip) });
        const twin = (ip: IpFields) => twinInbound(config, [arrives(ip)]).packets[0]!;
        const from = { ...IN, tos: inner };
        const zero = idForZero(twin, from);
        for (const id of [zero - 1, zero, zero + 1]) {
          const datagram = arrives({ ...from, id });
          const { writes } = harness.inbound([{ ...datagram, bytes: Uint8Array.of(...outer, ...datagram.bytes) }]);
          t.is(toHex(writes[0]!.packet), toHex(twin({ ...from, id })));
        }
        t.is(get16(twin({ ...from, id: zero }), 10), 0);
      });
}

/** The id with which the header that comes out has checksum 0: with id 0, the checksum is what is missing. */
function idForZero(out: (ip: IpFields) => Uint8Array, ip: IpFields): number {
  return get16(out(ip), 10);
}
