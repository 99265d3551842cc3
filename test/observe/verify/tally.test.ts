import { readFileSync } from 'node:fs';
import test from 'ava';
import { LINKTYPE_ETHERNET, LINKTYPE_RAW } from '../../../lib/capture/link-type.ts';
import { networkOfLeases } from '../../../lib/observe/verify/leases-file.ts';
import { USUAL_MTU, usualNetworks, type VerifiedNetwork } from '../../../lib/observe/verify/networks.ts';
import { verifyReport } from '../../../lib/observe/verify/report.ts';
import { VerifyTally } from '../../../lib/observe/verify/tally.ts';
import { pseudoHeaderSum4 } from '../../../lib/wire/checksum.ts';
import { printFrame, printPacket } from '../../../lib/wire/print.ts';
import { PROBE4_MIN, probe4 } from '../../../lib/wire/probe.ts';
import { fillUdpChecksum } from '../../../lib/wire/udp.ts';
import { address, changed, OUTER_IP, OUTER_UDP, UDP_FRAMES, VXLAN_FRAMES } from '../../capture/frames.ts';

// Captures of real flannelds, and forgeries of them: test/vectors/README.md.

const leasesOf = (name: string): VerifiedNetwork => {
  const path = new URL(`../../../../test/vectors/flanneld-${name}/etcd.txt`, import.meta.url);
  return networkOfLeases(readFileSync(path, 'utf8'), 'etcd.txt', USUAL_MTU);
};
const UDP = leasesOf('udp');
const VXLAN = leasesOf('vxlan');

/** "Cooked": what tcpdump -i any writes. */
const LINKTYPE_SLL = 113;

const UDP_INNER = OUTER_UDP + 8;
const VXLAN_AT = OUTER_UDP + 8;
const VXLAN_INNER = VXLAN_AT + 8 + 14;

function verify(
  network: VerifiedNetwork,
  frames: readonly Uint8Array[],
  { asOnWire = false, kept = 65_535 } = {},
): VerifyTally {
  const tally = new VerifyTally([network], asOnWire);
  for (const [index, frame] of frames.entries())
    tally.add({
      bytes: frame.subarray(0, kept),
      length: frame.length,
      linkType: LINKTYPE_ETHERNET,
      where: () => `frame ${index + 1}`,
    });
  return tally;
}

const faultsOf = (tally: VerifyTally) => [...tally.faults.values()].map(({ check, count }) => `${check} ${count}`);

test('all that flannelds sent each other is right; what offload left is counted, and no fault', (t) => {
  const udp = verify(UDP, UDP_FRAMES);
  t.deepEqual(faultsOf(udp), []);
  t.is(udp.checked, UDP_FRAMES.length);
  t.is(udp.unfinishedOuter, UDP_FRAMES.length);
  const vxlan = verify(VXLAN, VXLAN_FRAMES);
  t.deepEqual(faultsOf(vxlan), []);
  t.is(vxlan.checked, VXLAN_FRAMES.length);
  t.true(vxlan.unfinishedInner > 100 && vxlan.superPackets > 0);
  t.deepEqual([...vxlan.directions.values()].map(({ from, to }) => `${from} > ${to}`).toSorted(), [
    '192.0.2.1 > 192.0.2.2',
    '192.0.2.2 > 192.0.2.1',
  ]);
});

test('the same without leases: whose address is whose is not looked at', (t) => {
  const tally = new VerifyTally(usualNetworks(USUAL_MTU), false);
  for (const frame of [...UDP_FRAMES, ...VXLAN_FRAMES])
    tally.add({ bytes: frame, length: frame.length, linkType: LINKTYPE_ETHERNET, where: () => '' });
  t.is(tally.checked, UDP_FRAMES.length + VXLAN_FRAMES.length);
  t.deepEqual(faultsOf(tally), []);
});

type Forgery = readonly [check: string, change: (view: DataView) => void];

const FORGED_UDP: readonly Forgery[] = [
  ['inner-ttl', (view) => view.setUint8(UDP_INNER + 8, 64)],
  ['inner-ttl', (view) => view.setUint8(UDP_INNER + 8, 0)],
  ['inner-addresses', (view) => view.setUint32(UDP_INNER + 12, address('10.244.99.7'))],
  ['inner-addresses', (view) => view.setUint32(UDP_INNER + 16, address('10.9.9.9'))],
  ['inner-checksum', (view) => view.setUint16(UDP_INNER + 22, 0x1234)],
  ['inner-ip', (view) => view.setUint16(UDP_INNER + 2, 4000)],
  ['outer-checksum', (view) => view.setUint16(OUTER_UDP + 6, 0x1234)],
  ['outer-ports', (view) => view.setUint16(OUTER_UDP, 8286)],
  ['outer-length', (view) => view.setUint16(OUTER_UDP + 4, view.getUint16(OUTER_UDP + 4) - 1)],
  ['outer-tos', (view) => view.setUint8(OUTER_IP + 1, 3)],
];

for (const [check, change] of FORGED_UDP)
  test(`udp: one forged frame among good ones is found: ${check}, by ${change.toString().slice(18, 70)}`, (t) => {
    const forged = changed(UDP_FRAMES[0]!, [OUTER_IP, UDP_INNER], change);
    const tally = verify(UDP, [...UDP_FRAMES.slice(0, 10), forged, ...UDP_FRAMES.slice(10, 20)]);
    // A byte less at the end is a byte less of the packet inside, too.
    t.true(faultsOf(tally).includes(`${check} 1`), faultsOf(tally).join());
    const fault = [...tally.faults.values()].find((one) => one.check === check);
    t.is(fault?.where, 'frame 11');
    t.is(
      [...tally.directions.values()].reduce((sum, { faults }) => sum + faults, 0),
      1,
    );
  });

test('udp: a sender that has no lease is found', (t) => {
  const forged = changed(UDP_FRAMES[0]!, [OUTER_IP], (view) => {
    view.setUint32(OUTER_IP + 12, address('192.0.2.9'));
    const length = view.getUint16(OUTER_UDP + 4);
    fillUdpChecksum(view, OUTER_UDP, pseudoHeaderSum4(address('192.0.2.9'), view.getUint32(OUTER_IP + 16), 17, length));
  });
  t.deepEqual(faultsOf(verify(UDP, [forged])), ['outer-addresses 1']);
});

const FORGED_VXLAN: readonly Forgery[] = [
  ['vxlan-header', (view) => view.setUint32(VXLAN_AT + 4, 2 << 8)],
  ['vxlan-header', (view) => view.setUint8(VXLAN_AT + 7, 1)],
  ['vxlan-header', (view) => view.setUint8(VXLAN_AT, 0)],
  ['inner-ethernet', (view) => view.setUint8(VXLAN_AT + 8 + 6 + 5, 1)],
  ['inner-ethernet', (view) => view.setUint16(VXLAN_AT + 8 + 12, 0x8847)],
  ['inner-addresses', (view) => view.setUint32(VXLAN_INNER + 12, address('10.244.62.7'))],
  ['inner-ttl', (view) => view.setUint8(VXLAN_INNER + 8, 0)],
];

for (const [check, change] of FORGED_VXLAN)
  test(`vxlan: one forged frame is found: ${check}, by ${change.toString().slice(18, 70)}`, (t) => {
    const forged = changed(VXLAN_FRAMES[0]!, [OUTER_IP, VXLAN_INNER], change);
    t.true(faultsOf(verify(VXLAN, [forged])).includes(`${check} 1`), faultsOf(verify(VXLAN, [forged])).join());
  });

test('on the wire nothing is left to a NIC: what is unfinished or too long there is a fault', (t) => {
  t.deepEqual(faultsOf(verify(UDP, UDP_FRAMES, { asOnWire: true })), [`outer-checksum ${UDP_FRAMES.length}`]);
  t.true(faultsOf(verify(VXLAN, VXLAN_FRAMES, { asOnWire: true })).includes('mtu 10'));
});

test('of frames cut by a snap length what cannot be checked is said, and is never called wrong', (t) => {
  for (let kept = 14; kept < 200; kept++) {
    for (const [network, frames] of [
      [UDP, UDP_FRAMES],
      [VXLAN, VXLAN_FRAMES],
    ] as const) {
      const long = frames.filter(({ length }) => length > kept);
      const tally = verify(network, long, { kept });
      t.deepEqual(faultsOf(tally), [], `${kept} bytes kept`);
      t.is(tally.cut + tally.others, long.length, `${kept} bytes kept`);
    }
  }
});

test('frames of which too little was kept to tell whose they are are said to be that', (t) => {
  for (let kept = 0; kept < 60; kept++) {
    const tally = verify(UDP, UDP_FRAMES, { kept });
    t.is(tally.untold, kept < 42 ? UDP_FRAMES.length : 0, `${kept} bytes kept`);
    const facts = { source: 'x', seconds: null, lost: 0, notChecked: ['y'] };
    const { notChecked } = verifyReport(tally, facts);
    const sentence = `${UDP_FRAMES.length} frames of which too few bytes were kept to tell whose they are`;
    t.deepEqual(notChecked, kept < 42 ? ['y', sentence] : ['y']);
  }
});

test('the frame of a fault is printed as what it is, whatever came after it', (t) => {
  const forged = changed(UDP_FRAMES[0]!, [], (view) => view.setUint8(UDP_INNER + 8, 0));
  const packet = forged.subarray(OUTER_IP);
  const cooked = new Uint8Array(16 + packet.length);
  cooked.set([0x08, 0x00], 14);
  cooked.set(packet, 16);
  for (const [linkType, bytes, printed] of [
    [LINKTYPE_ETHERNET, forged, printFrame(forged)],
    [LINKTYPE_RAW, packet, printPacket(packet)],
    [LINKTYPE_SLL, cooked, printPacket(packet)],
  ] as const) {
    const tally = new VerifyTally([UDP], false);
    tally.add({ bytes, length: bytes.length, linkType, where: () => 'first' });
    for (const [type, good] of [
      [LINKTYPE_ETHERNET, UDP_FRAMES[0]!],
      [LINKTYPE_RAW, UDP_FRAMES[0]!.subarray(OUTER_IP)],
    ] as const)
      tally.add({ bytes: good, length: good.length, linkType: type, where: () => 'later' });
    const { faults } = verifyReport(tally, { source: 'x', seconds: null, lost: 0, notChecked: [] });
    t.true(faults.length > 0);
    for (const { frame } of faults) t.is(frame, printed, `link type ${linkType}`);
  }
});

test('the probes of peer monitors are left out', (t) => {
  const probe = probe4(address('10.244.30.0'), address('10.244.99.0'), { token: 1n, sequence: 1, size: PROBE4_MIN });
  const frame = new Uint8Array(UDP_INNER + probe.length);
  frame.set(UDP_FRAMES[0]!.subarray(0, UDP_INNER));
  frame.set(probe, UDP_INNER);
  const forged = changed(frame, [OUTER_IP, UDP_INNER], (view) => {
    view.setUint16(OUTER_IP + 2, frame.length - OUTER_IP);
    view.setUint16(OUTER_UDP + 4, frame.length - OUTER_UDP);
  });
  const tally = verify(UDP, [forged]);
  t.is(tally.probes, 1);
  t.is(tally.checked, 0);
});

test('a flood from many made-up senders is counted together', (t) => {
  const tally = new VerifyTally([UDP], false);
  for (let n = 0; n < 3000; n++) {
    const bytes = changed(UDP_FRAMES[0]!, [OUTER_IP], (view) => view.setUint32(OUTER_IP + 12, 0x0a00_0000 + n));
    tally.add({ bytes, length: bytes.length, linkType: LINKTYPE_ETHERNET, where: () => '' });
  }
  t.true(tally.directions.size <= 1001);
  t.is(
    [...tally.directions.values()].reduce((sum, { frames }) => sum + frames, 0),
    3000,
  );
});
