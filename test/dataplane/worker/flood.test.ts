/** BUM frames from a TAP, on descriptors instead of a device. No root needed. */
import test from 'ava';
import { parseIpv4 } from '../../../lib/addr/ipv4.ts';
import { TapRings, tapWanted } from '../../../lib/dataplane/tap-ring.ts';
import { continueFlood } from '../../../lib/dataplane/worker/flood.ts';
import { outboundTurn } from '../../../lib/dataplane/worker/outbound.ts';
import {
  COUNT_ANSWERED,
  COUNT_DROPS,
  DROP_STORM_LIMITED,
  DROP_UNDERLAY_REFUSED,
  ENCAPSULATION_VXLAN,
  TAP_ANSWERED,
  TAP_BYTES,
  TAP_VERDICT,
  ZERO_VNET,
} from '../../../lib/fastpath/abi.ts';
import { send } from '../../../lib/sys/ffi.ts';
import { socketAddress } from '../../../lib/sys/socket-address.ts';
import { SEGMENT } from '../../fastpath/harness.ts';
import { frame, payload, udp4 } from '../../fastpath/packets.ts';
import { devicePair, queueFixture, received } from '../queue-fixture.ts';

const PEER = parseIpv4('192.0.2.2')!;
const ASKER = [2, 0, 0, 0, 0, 0x11];
const EVERYBODY = [255, 255, 255, 255, 255, 255];
/** Who has 10.244.2.0? Tell 10.244.1.5. */
const REQUEST = [0, 1, 8, 0, 6, 4, 0, 1, ...ASKER, 10, 244, 1, 5, 0, 0, 0, 0, 0, 0, 10, 244, 2, 0];
const ANSWER = [0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 2, 10, 244, 2, 0, ...ASKER, 10, 244, 1, 5];

test('a BUM super-packet costs its sender what its packets would', (t) => {
  const pair = devicePair();
  try {
    const vtep = { mac: 0x02_00_00_00_00_02, tunnel4: undefined, tunnel6: undefined };
    // No socket: what is sent counts as refused.
    const { harness, queue } = queueFixture(pair.device, -1, PEER, new Uint8Array(16), {
      encapsulation: ENCAPSULATION_VXLAN,
      ethernet: { vni: 1, family: 4, mac: 0x02_00_00_00_00_01, learning: true },
      peers: [{ publicIp: PEER, prefixes: [], socketAddress: socketAddress(PEER, 4789), vtep }],
    });
    const packet = udp4({ source: '10.244.1.2', destination: '10.244.2.9', payload: payload(45 * 1000) });
    const offload = { flags: 1, gsoType: 5, gsoSize: 1000, checksumStart: 34, checksumOffset: 6 };
    const bytes = frame(Uint8Array.from([...EVERYBODY, ...ASKER, 8, 0, ...packet]), offload);
    for (let i = 0; i < 10; i++) {
      send(pair.kernel, bytes, bytes.length, 0);
      outboundTurn(queue, SEGMENT);
      continueFlood(queue);
    }
    t.is(harness.counter(COUNT_DROPS + DROP_UNDERLAY_REFUSED), 8 * 45, 'of 400 packets 8 times 45');
    t.is(harness.counter(COUNT_DROPS + DROP_STORM_LIMITED), 2);
  } finally {
    pair.close();
  }
});

for (const vnetHeader of [true, false]) {
  test(`an answer to a device ${vnetHeader ? 'with' : 'without'} a virtio_net_hdr leaves the empty one empty`, (t) => {
    const pair = devicePair();
    try {
      const vtep = { mac: 0x02_00_00_00_00_02, tunnel4: parseIpv4('10.244.2.0')!, tunnel6: undefined };
      const { harness, queue } = queueFixture(pair.device, -1, PEER, new Uint8Array(16), {
        encapsulation: ENCAPSULATION_VXLAN,
        ethernet: { vni: 1, family: 4, mac: 0x02_00_00_00_00_01, learning: true },
        peers: [{ publicIp: PEER, prefixes: ['10.244.2.0/24'], socketAddress: socketAddress(PEER, 4789), vtep }],
      });
      harness.record.setDevice({ fd: pair.device, vnetHeader, mtu: 1450, tunGro: false, tunUso: false });
      harness.fastpath.tapSet(tapWanted(100, 64));
      const empty = Array.from({ length: vnetHeader ? 10 : 0 }, () => 0);
      const bytes = Uint8Array.from([...empty, ...EVERYBODY, ...ASKER, 8, 6, ...REQUEST]);
      send(pair.kernel, bytes, bytes.length, 0);
      outboundTurn(queue, SEGMENT);
      t.deepEqual(
        received(pair.kernel).map((answer) => [...answer]),
        [[...empty, ...ASKER, 2, 0, 0, 0, 0, 2, 8, 6, ...ANSWER]],
      );
      t.is(harness.counter(COUNT_ANSWERED), 1);
      const records: number[] = [];
      new TapRings(harness.memory.buffer).drain((at) => records.push(at));
      const [record] = records;
      t.is(records.length, 1);
      t.is(harness.bytes[record! + TAP_VERDICT], TAP_ANSWERED);
      t.deepEqual(
        harness.bytes.slice(record! + TAP_BYTES, record! + TAP_BYTES + 14 + REQUEST.length),
        Uint8Array.from([...EVERYBODY, ...ASKER, 8, 6, ...REQUEST]),
      );
      // Another network's device may have one, and it is written from there.
      t.deepEqual([...harness.bytes.subarray(ZERO_VNET, ZERO_VNET + 10)], new Array<number>(10).fill(0));
    } finally {
      pair.close();
    }
  });
}
