/** Frames that flannelds exchanged, what has to be in them, and variations of them. test/vectors/README.md */
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import { type Mac, parseMac } from '../../lib/addr/mac.ts';
import { hostPrefix } from '../../lib/addr/prefix.ts';
import { type CheckName, expectedTtl, type Wire } from '../../lib/capture/checks.ts';
import { type Expectation, type InspectedNode, InspectedNodes } from '../../lib/capture/expectation.ts';
import { inspectFrame } from '../../lib/capture/inspect.ts';
import type { Inspection } from '../../lib/capture/inspection.ts';
import { LINKTYPE_ETHERNET } from '../../lib/capture/link-type.ts';
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

function hostOf(publicIp: string, hostMac: string, pod: string, vtep?: string): InspectedNode {
  return {
    addresses: [address(publicIp)],
    mac: mac(hostMac),
    inner: [hostPrefix(address(pod))],
    vtepMacs: vtep === undefined ? [] : [mac(vtep)],
  };
}

/** As the demo's traffic has to be: two hosts of which all is known. */
function expectation(wire: Wire, hosts: readonly InspectedNode[]): Expectation {
  return {
    wire,
    nodes: new InspectedNodes(hosts),
    innerTtl: expectedTtl(wire),
    dscp: 0,
    learning: false,
    mtu: undefined,
    asOnWire: false,
    strict: true,
  };
}

export const UDP_HOSTS: readonly [InspectedNode, InspectedNode] = [
  hostOf('192.0.2.1', 'ca:d5:64:45:4c:9e', '10.244.30.2'),
  hostOf('192.0.2.2', '02:4b:ba:2d:a6:75', '10.244.99.2'),
];

export const UDP_EXPECTED = expectation({ encapsulation: 'ip-in-udp', port: 8285 }, UDP_HOSTS);
export const IPIP_EXPECTED = expectation({ encapsulation: 'ipip' }, UDP_HOSTS);
export const PLAIN_EXPECTED = expectation({ encapsulation: 'none' }, UDP_HOSTS);
export const VXLAN_EXPECTED = expectation({ encapsulation: 'vxlan', port: 4789, vni: 1 }, [
  hostOf('192.0.2.1', '26:7b:35:cf:b5:b9', '10.244.15.2', 'ae:27:6f:57:90:87'),
  hostOf('192.0.2.2', 'ea:91:72:52:65:ef', '10.244.62.2', '76:6b:d9:64:b4:40'),
]);

export function inspect(frame: Uint8Array, expected: Expectation): Inspection {
  return inspectFrame({ bytes: frame, length: frame.length, linkType: LINKTYPE_ETHERNET }, expected);
}

export function failed(frame: Uint8Array, expected: Expectation): CheckName[] {
  return [...inspect(frame, expected).failed];
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
