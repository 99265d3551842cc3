import test from 'ava';
import { checkVxlan, emitVxlanHeader, formatVxlanHeader, parseVxlanHeader } from '../../lib/wire/vxlan.ts';
import { hex, viewOf } from './bytes.ts';
import { testHeaderCodec } from './header-suite.ts';

testHeaderCodec({ name: 'VXLAN', check: checkVxlan, parse: parseVxlanHeader, emit: emitVxlanHeader }, [
  // As the kernel wrote it: test/vectors/flanneld-vxlan/h1-underlay.pcap.
  { name: 'flannel’s VNI 1', bytes: hex('08000000 00000100'), header: { vni: 1 } },
  { name: 'the largest VNI', bytes: hex('08000000 ffffff00'), header: { vni: 0xffffff } },
]);

test('VXLAN: refuses a header without the I flag', (t) => {
  t.is(checkVxlan(viewOf(hex('00000000 00000100')), 0, 8), 'bad-flags');
  t.is(checkVxlan(viewOf(hex('f7ffffff ffffffff')), 0, 8), 'bad-flags');
});

test('VXLAN: ignores reserved bits when it reads', (t) => {
  const noisy = viewOf(hex('ffffffff 000001ff'));
  t.is(checkVxlan(noisy, 0, 8), undefined);
  t.deepEqual(parseVxlanHeader(noisy, 0), { vni: 1 });
});

test('VXLAN: prints a header on one line', (t) => {
  t.is(formatVxlanHeader({ vni: 4096 }), 'VXLAN vni 4096');
});
