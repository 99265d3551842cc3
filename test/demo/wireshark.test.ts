import test from 'ava';
import type { Wire } from '../../lib/capture/checks.ts';
import { judgeLine } from '../../lib/demo/wireshark.ts';

test('of tshark, every line has to be from pod to pod and without fault', (t) => {
  const pods = ['10.244.15.2', '10.244.62.2'];
  const vxlan: Wire = { encapsulation: 'vxlan', port: 4789, vni: 1 };
  const judge = (line: string, wire: Wire = vxlan) => judgeLine(line, pods, wire);
  type Field = 'source' | 'ip' | 'udp' | 'tcp' | 'icmp' | 'checksum' | 'malformed';
  const line = (more: Partial<Record<Field, string>> = {}) =>
    [
      more.source ?? '192.0.2.1,10.244.15.2',
      '192.0.2.2,10.244.62.2',
      more.ip ?? '1,1',
      more.udp ?? '1',
      more.tcp ?? '',
      more.icmp ?? '1',
      more.checksum ?? '',
      more.malformed ?? '',
    ].join('\t');
  t.deepEqual(judge(line()), { betweenPods: true, faulty: false });
  const plain = '10.244.15.2\t10.244.62.2\t1\t\t1\t\t0x1234\t';
  t.deepEqual(judge(plain, { encapsulation: 'none' }), { betweenPods: true, faulty: false });
  t.false(judge(line({ source: '192.0.2.1' })).betweenPods, 'nothing inside');
  t.false(judge(line({ source: '192.0.2.1,10.244.15.3' })).betweenPods);
  for (const fault of [{ ip: '1,0' }, { udp: '1,0' }, { tcp: '0' }, { icmp: '0' }, { malformed: 'Malformed' }])
    t.true(judge(line(fault)).faulty, JSON.stringify(fault));
  t.false(judge(line({ udp: '2', icmp: '3' })).faulty, 'not verified, or not there, is no fault');
});

test("that Linux writes 0xffff for a TCP checksum of 0 is no fault of the kernel's packets, but would be one of ours", (t) => {
  const pods = ['10.244.15.2', '10.244.62.2'];
  const line = (checksum: string, ip = '1') => `10.244.15.2\t10.244.62.2\t${ip}\t\t0\t\t${checksum}\t`;
  t.false(judgeLine(line('0xffff'), pods, { encapsulation: 'none' }).faulty);
  t.true(judgeLine(line('0x1234'), pods, { encapsulation: 'none' }).faulty);
  t.true(judgeLine(line('0xffff', '0'), pods, { encapsulation: 'none' }).faulty);
  t.true(judgeLine(line('0xffff'), pods, { encapsulation: 'ipip' }).faulty);
});
