import { readFileSync } from 'node:fs';
import test from 'ava';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import { readPcap } from '../../lib/capture/pcap.ts';
import { CHECKS, type Expectation, inspectFrame } from '../../lib/demo/inspect.ts';
import { pseudoHeaderSum4 } from '../../lib/wire/checksum.ts';
import { IPPROTO_UDP } from '../../lib/wire/ip-layout.ts';
import { printFrame } from '../../lib/wire/print.ts';
import { fillUdpChecksum } from '../../lib/wire/udp.ts';
import { random } from '../random.ts';

const FRAMES = readPcap(readFileSync('test/vectors/flanneld-udp/h1-underlay.pcap')).packets.map(
  // A copy: Buffer.slice would share the file's memory.
  ({ bytes }) => Uint8Array.from(bytes),
);

const address = (text: string) => parseIpv4(text)!;
const EXPECTED: Expectation = {
  hosts: [
    { publicIp: address('192.0.2.1'), pod: address('10.244.30.2') },
    { publicIp: address('192.0.2.2'), pod: address('10.244.99.2') },
  ],
  port: 8285,
  innerTtl: 62,
};

// Where headers begin in an Ethernet frame without options.
const OUTER_IP = 14;
const OUTER_UDP = OUTER_IP + 20;
const INNER_IP = OUTER_UDP + 8;
const INNER_L4 = INNER_IP + 20;

const failed = (frame: Uint8Array, expected = EXPECTED) => [...inspectFrame(frame, expected).failed];

test('every frame that real flannelds sent each other passes every check', (t) => {
  t.true(FRAMES.length > 400);
  const protocols = new Set<number>();
  for (const frame of FRAMES) {
    const inspection = inspectFrame(frame, EXPECTED);
    t.deepEqual([...inspection.failed], [], printFrame(frame));
    t.is(inspection.outerChecksum, 'offloaded', 'captured on a veth');
    t.is(inspection.innerProtocols.length, 1);
    for (const protocol of inspection.innerProtocols) protocols.add(protocol);
  }
  t.deepEqual(protocols, new Set([1, 6, 17]), 'ICMP, TCP and UDP');
});

/** The first frame, an echo request from host 1, with some bytes changed and both IP header checksums right again. */
function changed(change: (view: DataView) => void): Uint8Array {
  const frame = FRAMES[0]!.slice();
  const view = new DataView(frame.buffer);
  change(view);
  for (const ip of [OUTER_IP, INNER_IP]) {
    view.setUint16(ip + 10, 0);
    let sum = 0;
    for (let at = ip; at < ip + 20; at += 2) sum += view.getUint16(at);
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
    view.setUint16(ip + 10, ~sum & 0xffff);
  }
  return frame;
}

test('each check fails on the frame that is wrong in just that', (t) => {
  const garbled = FRAMES[0]!.slice();
  garbled[OUTER_IP + 10]! ^= 0xff;
  t.deepEqual(failed(garbled), ['outer-ipv4']);
  const innerGarbled = FRAMES[0]!.slice();
  innerGarbled[INNER_IP + 10]! ^= 0xff;
  t.deepEqual(failed(innerGarbled), ['inner-ipv4']);
  t.deepEqual(failed(changed(() => {})), []);
  t.deepEqual(failed(changed((view) => view.setUint8(INNER_IP + 8, 63))), ['inner-ttl']);
  t.deepEqual(failed(changed((view) => view.setUint16(OUTER_UDP, 8286))), ['outer-ports']);
  t.deepEqual(failed(changed((view) => view.setUint16(OUTER_UDP + 6, 0x1234))), ['outer-checksum']);
  t.deepEqual(failed(changed((view) => view.setUint32(INNER_IP + 16, address('10.244.99.3')))), ['inner-addresses']);
  t.deepEqual(failed(changed((view) => view.setUint16(INNER_L4 + 2, 0x1234))), ['inner-checksum']);
  t.deepEqual(failed(changed((view) => view.setUint16(OUTER_IP + 6, 0x2000))), ['outer-ipv4'], 'a first fragment');
  // The pseudo-header changes with the address, so the partial checksum does not fit either.
  const stranger = changed((view) => view.setUint32(OUTER_IP + 12, address('192.0.2.9')));
  t.deepEqual(failed(stranger), ['outer-addresses', 'outer-checksum']);
  const covered = new Set(
    'outer-ipv4 outer-addresses outer-ports outer-length outer-checksum inner-ipv4 inner-addresses inner-ttl inner-checksum'.split(
      ' ',
    ),
  );
  t.deepEqual(new Set(Object.keys(CHECKS)), covered, 'a new check needs a wrong frame here');
});

test('an outer UDP length that does not fill the IP packet is seen', (t) => {
  const frame = changed((view) => view.setUint16(OUTER_UDP + 4, view.getUint16(OUTER_UDP + 4) + 40));
  t.deepEqual(failed(frame), ['outer-length']);
});

test('a complete outer checksum is right, a missing one is told from it', (t) => {
  const complete = changed((view) => {
    const length = view.getUint16(OUTER_UDP + 4);
    fillUdpChecksum(
      view,
      OUTER_UDP,
      pseudoHeaderSum4(view.getUint32(OUTER_IP + 12), view.getUint32(OUTER_IP + 16), IPPROTO_UDP, length),
    );
  });
  t.like(inspectFrame(complete, EXPECTED), { outerChecksum: 'right' });
  t.deepEqual(failed(complete), []);
  const none = changed((view) => view.setUint16(OUTER_UDP + 6, 0));
  t.like(inspectFrame(none, EXPECTED), { outerChecksum: 'none' });
  t.deepEqual(failed(none), ['outer-checksum']);
});

test('a pod behind the other host is no valid inner source', (t) => {
  const swapped: Expectation = {
    ...EXPECTED,
    hosts: [
      { publicIp: address('192.0.2.1'), pod: address('10.244.99.2') },
      { publicIp: address('192.0.2.2'), pod: address('10.244.30.2') },
    ],
  };
  t.deepEqual(failed(FRAMES[0]!, swapped), ['inner-addresses']);
});

test('a train that was captured whole is taken apart into its packets', (t) => {
  const single = FRAMES[0]!;
  const payload = single.subarray(INNER_IP);
  const train = new Uint8Array(single.length + 2 * payload.length);
  train.set(single);
  train.set(payload, single.length);
  train.set(payload, single.length + payload.length);
  const view = new DataView(train.buffer);
  view.setUint16(OUTER_IP + 2, train.length - OUTER_IP);
  view.setUint16(OUTER_UDP + 4, train.length - OUTER_UDP);
  view.setUint16(OUTER_IP + 10, 0);
  let sum = 0;
  for (let at = OUTER_IP; at < OUTER_UDP; at += 2) sum += view.getUint16(at);
  view.setUint16(OUTER_IP + 10, ~((sum & 0xffff) + (sum >>> 16)) & 0xffff);
  view.setUint16(
    OUTER_UDP + 6,
    pseudoHeaderSum4(address('192.0.2.1'), address('192.0.2.2'), IPPROTO_UDP, train.length - OUTER_UDP),
  );
  t.deepEqual(failed(train), []);
  t.deepEqual(inspectFrame(train, EXPECTED).innerProtocols, [1, 1, 1]);
});

test('no truncation and no garbage throws or passes for whole', (t) => {
  const rng = random();
  for (const frame of [FRAMES[0]!, FRAMES.at(-1)!]) {
    for (let length = 0; length < frame.length; length++)
      t.true(failed(frame.subarray(0, length)).length > 0, `cut to ${length}`);
    for (let round = 0; round < 500; round++) {
      const garbage = frame.map((byte) => (rng.next(20) === 0 ? rng.next(256) : byte));
      t.notThrows(() => inspectFrame(garbage, EXPECTED), `seed ${rng.seed}`);
    }
  }
});
