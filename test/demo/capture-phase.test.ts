import test from 'ava';
import { LINKTYPE_ETHERNET } from '../../lib/capture/link-type.ts';
import { CaptureRecord } from '../../lib/capture/record.ts';
import { claimHeaders, offloadsToSwitchOff } from '../../lib/demo/capture-phase.ts';
import { Claims } from '../../lib/demo/claims.ts';
import { UDP_EXPECTED, UDP_FRAMES } from '../capture/frames.ts';

function recordOf(frames: readonly Uint8Array[]): CaptureRecord {
  const record = new CaptureRecord('u0', LINKTYPE_ETHERNET, UDP_EXPECTED);
  for (const frame of frames) record.add(frame);
  return record;
}

function claimsOf(record: CaptureRecord, sent: number): string[] {
  const claims = new Claims(() => {});
  claimHeaders(record.tally, UDP_EXPECTED.wire, { packets: sent, by: 'the daemons counted as sent' }, claims);
  return claims.all.map(({ name, state }) => `${name} ${state}`);
}

test('frames of flanneld make every claim hold', (t) => {
  const record = recordOf(UDP_FRAMES);
  const states = claimsOf(record, UDP_FRAMES.length).map((claim) => claim.split(' ').at(-1));
  t.is(states.length, 13);
  t.deepEqual(new Set(states), new Set(['ok']));
});

test('one wrong frame fails its claim only, and is shown', (t) => {
  const wrong = Uint8Array.from(UDP_FRAMES[0]!);
  wrong[64]! ^= 1; // the ICMP checksum
  const record = recordOf([...UDP_FRAMES, wrong]);
  t.deepEqual(
    claimsOf(record, UDP_FRAMES.length + 1).filter((claim) => claim.endsWith('FAILED')),
    ['inner checksum FAILED'],
  );
  t.is(record.tally.failures.get('inner-checksum')?.count, 1);
  t.regex(record.tally.failures.get('inner-checksum')?.example ?? '', /10\.244\.30\.2 > 10\.244\.99\.2.*ICMP/);
});

test('nothing captured proves nothing', (t) => {
  const claims = claimsOf(recordOf([]), 0);
  t.deepEqual(
    claims.filter((claim) => claim.endsWith('ok')),
    ['capture is complete ok'],
  );
});

test('a capture that missed packets says so, and one with more than were sent fails', (t) => {
  const record = recordOf(UDP_FRAMES);
  t.true(claimsOf(record, UDP_FRAMES.length + 5).includes('capture is complete skipped'));
  t.true(claimsOf(record, UDP_FRAMES.length - 5).includes('capture is complete FAILED'));
});

test('checksum offload is switched off only where trains survive that, or where there are none', (t) => {
  for (const encapsulation of ['ip-in-udp', 'vxlan'] as const) {
    const off = (kernel: string) => offloadsToSwitchOff(kernel, encapsulation);
    t.true(off('6.18.44-generic').includes('tx'));
    t.true(off('6.11.0').includes('tx'));
    t.true(off('7.0.1').includes('tx'));
    t.false(off('6.10.14').includes('tx'));
    t.false(off('5.19.0').includes('tx'));
    t.true(off('5.19.0').includes('gso'));
  }
  for (const encapsulation of ['ipip', 'none'] as const)
    t.true(offloadsToSwitchOff('5.19.0', encapsulation).includes('tx'));
});
