/** Frames that flannelds exchanged, what has to be in them, and variations of them. test/vectors/README.md */
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import { type Mac, parseMac } from '../../lib/addr/mac.ts';
import type { CheckName, Wire } from '../../lib/capture/checks.ts';
import { type Expectation, inspectFrame } from '../../lib/capture/inspect.ts';
import { internetSum } from '../../lib/wire/checksum.ts';
import { ipv4HeaderLength } from '../../lib/wire/ipv4.ts';
import { readVector } from './vectors.ts';

export const address = (text: string): number => parseIpv4(text)!;
const mac = (text: string): Mac => parseMac(text)!;
// A copy of each: views into one file's memory would be written all over.
const framesOf = (name: Parameters<typeof readVector>[0]) =>
  readVector(name).packets.map(({ bytes }) => Uint8Array.from(bytes));

export const UDP_FRAMES = framesOf('flanneld-udp/h1-underlay');
export const VXLAN_FRAMES = framesOf('flanneld-vxlan/h1-underlay');

const UDP_HOSTS: Expectation['hosts'] = [
  {
    publicIp: address('192.0.2.1'),
    mac: mac('ca:d5:64:45:4c:9e'),
    pod: address('10.244.30.2'),
    vtepMac: undefined,
  },
  {
    publicIp: address('192.0.2.2'),
    mac: mac('02:4b:ba:2d:a6:75'),
    pod: address('10.244.99.2'),
    vtepMac: undefined,
  },
];

export const UDP_EXPECTED: Expectation = { hosts: UDP_HOSTS, wire: { encapsulation: 'ip-in-udp', port: 8285 } };
export const IPIP_EXPECTED: Expectation = { hosts: UDP_HOSTS, wire: { encapsulation: 'ipip' } };
export const PLAIN_EXPECTED: Expectation = { hosts: UDP_HOSTS, wire: { encapsulation: 'none' } };
export const VXLAN_EXPECTED: Expectation = {
  hosts: [
    {
      publicIp: address('192.0.2.1'),
      mac: mac('26:7b:35:cf:b5:b9'),
      pod: address('10.244.15.2'),
      vtepMac: mac('ae:27:6f:57:90:87'),
    },
    {
      publicIp: address('192.0.2.2'),
      mac: mac('ea:91:72:52:65:ef'),
      pod: address('10.244.62.2'),
      vtepMac: mac('76:6b:d9:64:b4:40'),
    },
  ],
  wire: { encapsulation: 'vxlan', port: 4789, vni: 1 } satisfies Wire,
};

export function failed(frame: Uint8Array, expected: Expectation): CheckName[] {
  return [...inspectFrame(frame, expected).failed];
}

// Where headers begin in an Ethernet frame without IP options.
export const OUTER_IP = 14;
export const OUTER_UDP = OUTER_IP + 20;

/** A copy of the frame with some bytes changed, and the checksums of the IPv4 headers at `headers` right again. */
export function changed(
  frame: Uint8Array,
  headers: readonly number[],
  change: (view: DataView) => void,
): Uint8Array<ArrayBuffer> {
  const copy = Uint8Array.from(frame);
  const view = new DataView(copy.buffer);
  change(view);
  for (const ip of headers) {
    view.setUint16(ip + 10, 0);
    view.setUint16(ip + 10, ~internetSum(view, ip, ip + ipv4HeaderLength(view, ip)) & 0xffff);
  }
  return copy;
}
