/**
 * What a trace's sockets let through, so that other traffic does not fill their rings: classic BPF, relative to the IP header
 * (SKF_NET_OFF), whatever link layer is before it. Documentation/networking/filter.rst, include/uapi/linux/filter.h.
 */
import type { Wire } from '../../capture/checks.ts';
import type { FilterInstruction } from '../../sys/packet-filter.ts';
import { ETHERTYPE_IPV4 } from '../../wire/layout/ethernet.ts';
import { IPPROTO_ICMP, IPPROTO_IPIP, IPPROTO_UDP } from '../../wire/layout/ip.ts';
import { IPV4_DESTINATION, IPV4_HEADER_MIN, IPV4_ID, IPV4_PROTOCOL, IPV4_SOURCE } from '../../wire/layout/ipv4.ts';
import { type Probe, sourcePortOf } from './probe.ts';

const LOAD_WORD = 0x20;
const LOAD_HALF = 0x28;
const LOAD_BYTE = 0x30;
const JUMP_IF_EQUAL = 0x15;
const RETURN = 0x06;
/** SKF_AD_OFF + SKF_AD_PROTOCOL: the EtherType. */
const PROTOCOL = 0xffff_f000;
/** SKF_NET_OFF: where the IP header begins. */
const NETWORK = 0xfff0_0000;
const KEEP = 0xffff_ffff;

/** Where the ports are in a packet without options, as the answer to a probe is one. */
const PORTS = IPV4_HEADER_MIN;

type Test = readonly [load: number, at: number, value: number];

/**
 * ICMP, the probe and the answer to it, and, with `wire`, the tunnel's packets: in trains the first one alone shows, so all of
 * them.
 */
export function probeFilter(probe: Probe, wire: Wire | undefined): FilterInstruction[] {
  const protocol = (value: number): Test => [LOAD_BYTE, IPV4_PROTOCOL, value];
  const wanted: Test[][] = [[protocol(IPPROTO_ICMP)]];
  if (wire?.encapsulation === 'ipip') wanted.push([protocol(IPPROTO_IPIP)]);
  // By port it would depend on the header's length, and later fragments have none.
  else if (wire !== undefined && wire.encapsulation !== 'none') wanted.push([protocol(IPPROTO_UDP)]);
  if (probe.transport !== 'icmp') {
    const ports = probe.port * 0x10000 + sourcePortOf(probe);
    wanted.push(
      [
        [LOAD_WORD, IPV4_DESTINATION, probe.destination],
        [LOAD_HALF, IPV4_ID, probe.id],
      ],
      [
        [LOAD_WORD, IPV4_SOURCE, probe.destination],
        [LOAD_WORD, PORTS, ports],
      ],
    );
  }
  const body = wanted.flatMap((tests): FilterInstruction[] => [
    ...tests.flatMap(([load, at, value], index): FilterInstruction[] => {
      // What is not so leads behind the RETURN of these tests.
      const toNext = (tests.length - 1 - index) * 2 + 1;
      return [
        [load, 0, 0, NETWORK + at],
        [JUMP_IF_EQUAL, 0, toNext, value],
      ];
    }),
    [RETURN, 0, 0, KEEP],
  ]);
  return [[LOAD_HALF, 0, 0, PROTOCOL], [JUMP_IF_EQUAL, 0, body.length, ETHERTYPE_IPV4], ...body, [RETURN, 0, 0, 0]];
}
