import test from 'ava';
import { CHECKS } from '../../lib/capture/checks.ts';
import { type Expectation, InspectedNodes } from '../../lib/capture/expectation.ts';
import { pseudoHeaderSum4 } from '../../lib/wire/checksum.ts';
import { IPPROTO_UDP } from '../../lib/wire/layout/ip.ts';
import { printFrame } from '../../lib/wire/print.ts';
import { fillUdpChecksum } from '../../lib/wire/udp.ts';
import { random } from '../random.ts';
import * as frames from './frames.ts';
import {
  address,
  UDP_EXPECTED as EXPECTED,
  UDP_FRAMES as FRAMES,
  inspect,
  OUTER_IP,
  OUTER_UDP,
  UDP_HOSTS,
} from './frames.ts';

// The udp backend; the other encapsulations are in inspect-encapsulations.test.ts.

const INNER_IP = OUTER_UDP + 8;
const INNER_L4 = INNER_IP + 20;

const failed = (frame: Uint8Array, expected = EXPECTED) => frames.failed(frame, expected);

test('every frame that real flannelds sent each other passes every check', (t) => {
  t.true(FRAMES.length > 400);
  const protocols = new Set<number>();
  for (const frame of FRAMES) {
    const inspection = inspect(frame, EXPECTED);
    t.deepEqual([...inspection.failed], [], printFrame(frame));
    t.is(inspection.outerChecksum, 'unfinished', 'captured on a veth');
    t.is(inspection.outerSource?.port, 8285);
    t.is(inspection.inner.length, 1);
    for (const { protocol } of inspection.inner) protocols.add(protocol);
  }
  t.deepEqual(protocols, new Set([1, 6, 17]), 'ICMP, TCP and UDP');
});

/** The first frame, an echo request from host 1, with some bytes changed and both IP header checksums right again. */
function changed(change: (view: DataView) => void): Uint8Array<ArrayBuffer> {
  return frames.changed(FRAMES[0]!, [OUTER_IP, INNER_IP], change);
}

test('each check fails on the frame that is wrong in just that', (t) => {
  const garbled = FRAMES[0]!.slice();
  garbled[OUTER_IP + 10]! ^= 0xff;
  t.deepEqual(failed(garbled), ['outer-ip']);
  const innerGarbled = FRAMES[0]!.slice();
  innerGarbled[INNER_IP + 10]! ^= 0xff;
  t.deepEqual(failed(innerGarbled), ['inner-ip']);
  t.deepEqual(failed(changed(() => {})), []);
  t.deepEqual(failed(changed((view) => view.setUint8(INNER_IP + 8, 63))), ['inner-ttl']);
  t.deepEqual(failed(changed((view) => view.setUint16(OUTER_UDP, 8286))), ['outer-ports']);
  t.deepEqual(failed(changed((view) => view.setUint16(OUTER_UDP + 6, 0x1234))), ['outer-checksum']);
  t.deepEqual(failed(changed((view) => view.setUint32(INNER_IP + 16, address('10.244.99.3')))), ['inner-addresses']);
  t.deepEqual(failed(changed((view) => view.setUint16(INNER_L4 + 2, 0x1234))), ['inner-checksum']);
  t.deepEqual(failed(changed((view) => view.setUint16(OUTER_IP + 6, 0x2000))), ['outer-ip'], 'a first fragment');
  // The pseudo-header changes with the address, so the partial checksum does not fit either.
  const stranger = changed((view) => view.setUint32(OUTER_IP + 12, address('192.0.2.9')));
  t.deepEqual(failed(stranger), ['outer-addresses', 'outer-checksum']);
  t.deepEqual(failed(changed((view) => view.setUint8(OUTER_IP + 1, 0x10))), ['outer-tos'], 'a DSCP');
  t.deepEqual(failed(changed((view) => view.setUint8(INNER_IP + 1, 2))), ['outer-tos'], 'ECT(0) inside only');
  const both = changed((view) => {
    for (const ip of [OUTER_IP, INNER_IP]) view.setUint8(ip + 1, 2);
  });
  t.deepEqual(failed(both), [], 'ECT(0) in both');
  t.deepEqual(failed(changed((view) => view.setUint8(0, 0xfe))), ['ethernet']);
  const covered = new Set(
    (
      'ethernet outer-ip outer-tos outer-addresses outer-ports outer-length outer-checksum ' +
      'inner-ip inner-addresses inner-ttl inner-checksum'
    ).split(' '),
  );
  t.deepEqual(new Set(Object.keys(CHECKS['ip-in-udp'])), covered, 'a new check needs a wrong frame here');
});

test('an outer UDP length that does not fill the IP packet is seen', (t) => {
  const frame = changed((view) => view.setUint16(OUTER_UDP + 4, view.getUint16(OUTER_UDP + 4) + 40));
  t.deepEqual(failed(frame), ['outer-length']);
});

test('a complete outer checksum is right, a missing one differs from it', (t) => {
  const complete = changed((view) => {
    const length = view.getUint16(OUTER_UDP + 4);
    fillUdpChecksum(
      view,
      OUTER_UDP,
      pseudoHeaderSum4(view.getUint32(OUTER_IP + 12), view.getUint32(OUTER_IP + 16), IPPROTO_UDP, length),
    );
  });
  t.like(inspect(complete, EXPECTED), { outerChecksum: 'right' });
  t.deepEqual(failed(complete), []);
  const none = changed((view) => view.setUint16(OUTER_UDP + 6, 0));
  t.like(inspect(none, EXPECTED), { outerChecksum: 'none' });
  t.deepEqual(failed(none), ['outer-checksum']);
});

test('a pod behind the other host is no valid inner source', (t) => {
  const [one, other] = UDP_HOSTS;
  const nodes = new InspectedNodes([
    { ...one, inner: other.inner },
    { ...other, inner: one.inner },
  ]);
  const swapped: Expectation = { ...EXPECTED, nodes };
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
  t.deepEqual(
    inspect(train, EXPECTED).inner.map(({ protocol }) => protocol),
    [1, 1, 1],
  );
});

test('no truncation and no garbage throws or passes for whole', (t) => {
  const rng = random();
  for (const frame of [FRAMES[0]!, FRAMES.at(-1)!]) {
    for (let length = 0; length < frame.length; length++)
      t.true(failed(frame.subarray(0, length)).length > 0, `cut to ${length}`);
    for (let round = 0; round < 500; round++) {
      const garbage = frame.map((byte) => (rng.next(20) === 0 ? rng.next(256) : byte));
      t.notThrows(() => inspect(garbage, EXPECTED), `seed ${rng.seed}`);
    }
  }
});
