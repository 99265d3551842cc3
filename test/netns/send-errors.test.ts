/** What senders and the operator hear when the underlay takes a packet from nobody, or from one peer not. */
import type { ExecutionContext } from 'ava';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import { outboundTurn } from '../../lib/dataplane/worker/outbound.ts';
import {
  CONFIG_MAX_TRAIN,
  COUNT_DROPS,
  COUNT_OUT_RECEIVED,
  DROP_UNDERLAY_REFUSED,
  ENCAPSULATION_VXLAN,
} from '../../lib/fastpath/abi.ts';
import { close, send } from '../../lib/sys/ffi.ts';
import { socketAddress } from '../../lib/sys/socket-address.ts';
import { openUdpSocket } from '../../lib/sys/udp-socket.ts';
import { devicePair, type QueueFixture, queueFixture, received } from '../dataplane/queue-fixture.ts';
import { SEGMENT } from '../fastpath/harness.ts';
import { frame, payload, udp4 } from '../fastpath/packets.ts';
import { testInFreshNamespace } from './enter.ts';

// A namespace without routes: whatever is sent fails with ENETUNREACH.
const test = testInFreshNamespace();

const ANY = parseIpv4('0.0.0.0')!;
const LOCAL_POD = [2, 0, 0, 0, 0, 0x11];
const KNOWN = [2, 0, 0, 0, 0, 2];
const UNKNOWN = [2, 0, 0, 0, 0, 0x99];
const EVERYBODY = [255, 255, 255, 255, 255, 255];
const packet = udp4({ source: '10.244.1.2', destination: '10.244.1.9', ttl: 64, payload: payload(20) });

function bridged(run: (given: QueueFixture, sendFrame: (to: readonly number[]) => Uint8Array[]) => void): void {
  const pair = devicePair();
  const socket = openUdpSocket(ANY, 0, 1 << 20);
  const peer = (n: number) => {
    const publicIp = parseIpv4(`192.0.2.${n}`)!;
    const vtep = { mac: 0x02_00_00_00_00_00 + n, tunnel4: undefined, tunnel6: undefined };
    return { publicIp, prefixes: [], socketAddress: socketAddress(publicIp, 4789), vtep };
  };
  try {
    const given = queueFixture(pair.device, socket, 0, new Uint8Array(16), {
      encapsulation: ENCAPSULATION_VXLAN,
      ethernet: { vni: 1, family: 4, mac: 0x02_00_00_00_00_01, learning: true },
      peers: [peer(2), peer(3)],
    });
    run(given, (to) => {
      const bytes = frame(Uint8Array.from([...to, ...LOCAL_POD, 8, 0, ...packet]));
      send(pair.kernel, bytes, bytes.length, 0);
      outboundTurn(given.queue, SEGMENT);
      return received(pair.kernel).map((answer) => answer.subarray(10));
    });
  } finally {
    pair.close();
    close(socket);
  }
}

function refusedAsOften(t: ExecutionContext, { harness }: QueueFixture, times: number): void {
  t.is(harness.counter(COUNT_OUT_RECEIVED), times);
  t.is(harness.counter(COUNT_DROPS + DROP_UNDERLAY_REFUSED), times);
}

test('a packet for a VTEP that cannot be reached: its sender gets an ICMP error', (t) => {
  bridged((given, sendFrame) => {
    const answers = sendFrame(KNOWN);
    t.is(answers.length, 1);
    t.deepEqual([...answers[0]!.subarray(0, 14)], [...LOCAL_POD, ...KNOWN, 8, 0]);
    t.deepEqual([...answers[0]!.subarray(34, 36)], [3, 1], 'host unreachable');
    refusedAsOften(t, given, 1);
  });
});

test('copies for VTEPs that cannot be reached: no sender gets an ICMP error, the host may be behind another', (t) => {
  bridged((given, sendFrame) => {
    t.deepEqual(sendFrame(UNKNOWN), []);
    t.deepEqual(sendFrame(EVERYBODY), [], 'nor ever about a broadcast, in the name of everybody');
    refusedAsOften(t, given, 4);
  });
});

test('a peer whose address takes no packet at all does not end the trains of the others', (t) => {
  const pair = devicePair();
  const socket = openUdpSocket(ANY, 0, 1 << 20);
  try {
    // Nothing can be sent to port 0: EINVAL, with UDP_SEGMENT and without.
    const nowhere = parseIpv4('127.0.0.1')!;
    const { harness, queue, refused } = queueFixture(pair.device, socket, nowhere, socketAddress(nowhere, 0));
    for (let id = 0; id < 3; id++) {
      const bytes = frame(udp4({ source: '10.244.1.2', destination: '10.244.2.2', id, ttl: 64, payload: payload(99) }));
      send(pair.kernel, bytes, bytes.length, 0);
    }
    outboundTurn(queue, SEGMENT);
    t.deepEqual(refused, []);
    t.is(queue.words[CONFIG_MAX_TRAIN / 4], 64);
    t.is(harness.counter(COUNT_DROPS + DROP_UNDERLAY_REFUSED), 3);
  } finally {
    pair.close();
    close(socket);
  }
});
