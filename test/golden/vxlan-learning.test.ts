// What the VXLAN twin learns of MAC addresses, and from whom.
import test from 'ava';
import { buildFrame } from './random-ethernet.ts';
import { type TwinVxlanState, twinVxlanInbound, twinVxlanOutbound } from './tap-twin.ts';
import { SlowFdb } from './vxlan-fdb.ts';
import {
  AT_OTHER,
  AT_PEER,
  arrives,
  BRIDGED,
  CONFIG,
  LOCAL_POD,
  OWN,
  PEER,
  POD,
  plain,
  ROUTED,
  stateOf,
  udp,
  V4,
} from './vxlan-fixture.ts';

const podFrame = (source: number, destination: number) => buildFrame({ source, destination }, 0x0800, udp(V4));
const sentTo = (state: TwinVxlanState, mac: number) =>
  twinVxlanOutbound(CONFIG, BRIDGED, state, [plain(podFrame(LOCAL_POD, mac))]).datagrams.map(({ peer }) => peer);

test('learning: a pod is found behind the peer its frames come from, for 300 s', (t) => {
  const fdb = new SlowFdb();
  t.deepEqual(sentTo(stateOf({ fdb }), POD), [0, 1], 'flooded at first');
  twinVxlanInbound(CONFIG, stateOf({ fdb }), [arrives(podFrame(POD, LOCAL_POD), 2, AT_OTHER)]);
  t.deepEqual(sentTo(stateOf({ fdb, now: 1300 }), POD), [1]);
  t.deepEqual(sentTo(stateOf({ fdb, now: 1301 }), POD), [0, 1]);
  t.deepEqual(
    twinVxlanOutbound(CONFIG, ROUTED, stateOf({ fdb }), [plain(podFrame(OWN, POD))]).drops,
    ['no-fdb-entry'],
    'in its own segment only',
  );
});

test('learning: a move is believed once a second; the frames are delivered all the same', (t) => {
  const fdb = new SlowFdb();
  const says = (outerSource: number, now: number) =>
    twinVxlanInbound(CONFIG, stateOf({ fdb, now }), [arrives(podFrame(POD, LOCAL_POD), 2, outerSource)]).frames.length;
  t.is(says(AT_PEER, 1000), 1);
  t.is(says(AT_OTHER, 1000), 1);
  t.deepEqual(sentTo(stateOf({ fdb }), POD), [1], 'the first move is free');
  t.is(says(AT_PEER, 1000.9), 1);
  t.deepEqual(sentTo(stateOf({ fdb, now: 1000.9 }), POD), [1], 'the next is not');
  t.is(says(AT_PEER, 1001), 1);
  t.deepEqual(sentTo(stateOf({ fdb, now: 1001 }), POD), [0]);
});

test('learning: a leased VtepMAC is its peer’s, with the source check and without', (t) => {
  for (const sourceCheck of [true, false]) {
    const fdb = new SlowFdb();
    const claim = arrives(podFrame(PEER, LOCAL_POD), 2, AT_OTHER);
    const { drops } = twinVxlanInbound({ ...CONFIG, sourceCheck }, stateOf({ fdb }), [claim]);
    t.deepEqual(drops, sourceCheck ? ['spoofed-source'] : []);
    t.deepEqual(sentTo(stateOf({ fdb }), PEER), [0]);
  }
});

test('learning: a stranger teaches nothing', (t) => {
  const fdb = new SlowFdb();
  twinVxlanInbound({ ...CONFIG, sourceCheck: false }, stateOf({ fdb }), [arrives(podFrame(POD, LOCAL_POD), 2, 9)]);
  t.deepEqual(sentTo(stateOf({ fdb }), POD), [0, 1]);
});
