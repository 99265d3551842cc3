import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import { parseIpv6 } from '../../lib/addr/ipv6.ts';
import { probe4, probe6 } from '../../lib/wire/probe.ts';
import { changed, OUTER_IP, OUTER_UDP, UDP_FRAMES, VXLAN_FRAMES } from '../capture/frames.ts';
import { fieldsOf, temporaryFolder, tshark, WITH_DISSECTOR, withTshark, writeFrames } from './tshark.ts';

const INNER = OUTER_UDP + 8;
const VXLAN = OUTER_UDP + 8;
const INNER_FRAME = VXLAN + 8;

const vector = (name: string): string => fileURLToPath(new URL(`../../../test/vectors/${name}.pcap`, import.meta.url));

const UDP_LEASES = '10.244.30.0/24 192.0.2.1\n10.244.99.0/24 fd00:0:0:99::/64 192.0.2.2 2001:db8::2\n';
const VXLAN_LEASES = `# as weft wireshark leases has them
10.244.15.0/24 192.0.2.1 vni=1 mac=ae:27:6f:57:90:87
10.244.62.0/24 192.0.2.2 vni=1 mac=76:6B:D9:64:B4:40
`;

/** What tshark says of the frames: the texts of its experts, in the order of the tree. */
function expertsOf(
  t: ExecutionContext,
  frames: readonly Uint8Array[],
  leases: string,
  options: readonly string[] = [],
) {
  const folder = temporaryFolder(t);
  const [path, leasesPath] = [join(folder, 'frames.pcapng'), join(folder, 'leases')];
  writeFrames(path, frames);
  writeFileSync(leasesPath, leases);
  const argv = ['-o', `weft.leases:${leasesPath}`, ...options];
  return fieldsOf(t, folder, path, ['_ws.expert.message', 'weft.finding'], argv);
}

withTshark("weft.lua finds no fault in what flannel's udp backend sent, and names the senders' subnets", (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'leases'), UDP_LEASES);
  for (const host of ['h1', 'h2']) {
    const fields = ['frame.protocols', 'weft.ttl_delivered', 'weft.lease', 'weft.finding', '_ws.malformed', 'ip.ttl'];
    const path = vector(`flanneld-udp/${host}-underlay`);
    const rows = fieldsOf(t, folder, path, fields, ['-o', `weft.leases:${join(folder, 'leases')}`]);
    t.true(rows.length > 100);
    for (const [protocols, ttl, lease, finding, malformed, ttls] of rows) {
      t.regex(protocols!, /^eth:ethertype:ip:udp:ip:(icmp|tcp|udp)/);
      t.is(Number(ttl), Number(ttls!.split(',')[1]) - 1);
      t.regex(lease!, /^10\.244\.30\.0\/24$|^10\.244\.99\.0\/24 fd00:0:0:99::\/64$/);
      t.deepEqual([finding, malformed], ['', '']);
    }
  }
});

withTshark(
  "weft.lua reads VXLAN on flannel's port, IANA's and those of its preference, and finds no fault in what the kernel sent",
  (t) => {
    const folder = temporaryFolder(t);
    writeFileSync(join(folder, 'leases'), VXLAN_LEASES);
    const argv = ['-o', `weft.leases:${join(folder, 'leases')}`];
    const fields = ['frame.protocols', 'vxlan.vni', 'weft.lease', 'weft.finding', '_ws.malformed'];
    const rows = fieldsOf(t, folder, vector('flanneld-vxlan/h1-underlay'), fields, argv);
    t.true(rows.length > 100);
    for (const [protocols, vni, lease, finding, malformed] of rows) {
      t.regex(protocols!, /^eth:ethertype:ip:udp:vxlan:eth:ethertype:ip:/);
      t.deepEqual([vni, finding, malformed], ['1', '', '']);
      t.regex(lease!, /^10\.244\.(15|62)\.0\/24$/);
    }
    // On the kernel's port, which Wireshark does not know; and not on another.
    const frame = (port: number) => changed(VXLAN_FRAMES[0]!, [], (view) => view.setUint16(OUTER_UDP + 2, port));
    writeFrames(join(folder, 'ports.pcapng'), [frame(8472), frame(9472)]);
    const onPorts = (options: string[]) =>
      fieldsOf(t, folder, join(folder, 'ports.pcapng'), ['vxlan.vni'], options).flat();
    t.deepEqual(onPorts([]), ['1', '']);
    t.deepEqual(onPorts(['-o', 'weft.vxlan_ports:9000-9999']), ['', '1']);
  },
);

withTshark('weft.lua names an inner source that is not its sender’s, and a sender without a lease', (t) => {
  const [frame] = UDP_FRAMES;
  const setSource = (text: string) => changed(frame!, [INNER], (view) => view.setUint32(INNER + 12, parseIpv4(text)!));
  const stranger = changed(frame!, [OUTER_IP], (view) => view.setUint32(OUTER_IP + 12, parseIpv4('192.0.2.66')!));
  const frames = [frame!, setSource('10.244.99.2'), setSource('10.244.7.7'), stranger];
  const rows = expertsOf(t, frames, UDP_LEASES);
  t.deepEqual(rows[0], ['', '']);
  t.like(rows[1], { 0: 'Inner source 10.244.99.2 belongs to 192.0.2.2; the sender is 192.0.2.1', 1: '1' });
  t.like(rows[2], { 0: 'Inner source 10.244.7.7 is in no lease; the sender is 192.0.2.1', 1: '1' });
  t.regex(rows[3]![0]!, /^The sender has no lease in .*leases$/);
  // Without leases nothing is said.
  const folder = temporaryFolder(t);
  writeFrames(join(folder, 'frames.pcapng'), frames);
  t.deepEqual(fieldsOf(t, folder, join(folder, 'frames.pcapng'), ['weft.finding']).flat(), ['', '', '', '']);
});

withTshark('weft.lua knows what flannel does with a TTL, a version that is none, and a train that was not cut', (t) => {
  const [frame] = UDP_FRAMES;
  const setTtl = (ttl: number) => changed(frame!, [INNER], (view) => view.setUint8(INNER + 8, ttl));
  const version = changed(frame!, [], (view) => view.setUint8(INNER, 0x75));
  const train = changed(frame!, [INNER], (view) => view.setUint16(INNER + 2, 42));
  const rows = expertsOf(t, [setTtl(9), setTtl(1), setTtl(0), version, train], UDP_LEASES);
  t.deepEqual(rows[0], ['', '']);
  t.regex(rows[1]![0]!, /Inner TTL 1 on the wire: the receiving node takes one off and drops it/);
  t.is(rows[1]![1], '', 'no finding: a traceroute does that');
  t.regex(rows[2]![0]!, /Inner TTL 0 on the wire: Weft drops it; flannel makes it 255 and delivers it/);
  t.regex(rows[3]![0]!, /The first four bits are 7, neither IPv4 nor IPv6: the receiver drops it/);
  t.regex(
    rows[4]![0]!,
    /The inner packet has 42 bytes, the datagram 84: perhaps a train of datagrams that was not cut/,
  );
});

withTshark('weft.lua checks the VXLAN header, VNI and MAC of a sender', (t) => {
  const [frame] = VXLAN_FRAMES;
  const change = (make: (view: DataView) => void) => changed(frame!, [], make);
  const frames = [
    frame!,
    change((view) => view.setUint8(VXLAN, 0x0c)),
    change((view) => view.setUint8(VXLAN + 7, 1)),
    change((view) => view.setUint8(VXLAN + 6, 2)),
    change((view) => view.setUint8(INNER_FRAME + 11, 0xee)),
    // No IP inside: the sender is checked all the same.
    change((view) => view.setUint16(INNER_FRAME + 12, 0x88cc)),
  ];
  const rows = expertsOf(t, frames, VXLAN_LEASES);
  t.deepEqual(rows[0], ['', '']);
  t.is(rows[1]![0], 'VXLAN flags are not 08, or reserved bits are set');
  t.is(rows[2]![0], 'VXLAN flags are not 08, or reserved bits are set');
  t.is(rows[3]![0], 'VNI 2 is not that of the lease of 192.0.2.1');
  t.regex(rows[4]![0]!, /^Inner source MAC ae:27:6f:57:90:ee is not that of the lease of 192\.0\.2\.1; normal/);
  t.is(rows[4]![1], '', 'no finding');
});

withTshark('weft.lua marks the probes of the peer monitor', (t) => {
  const fields = { sequence: 1, token: 2n, size: 60 };
  const [a, b] = [parseIpv4('10.244.30.0')!, parseIpv4('10.244.99.0')!];
  const [a6, b6] = [parseIpv6('fd00:0:0:30::')!, parseIpv6('fd00:0:0:99::')!];
  const around = (packet: Uint8Array, length: number): Uint8Array => {
    const bytes = new Uint8Array(INNER + length);
    bytes.set(UDP_FRAMES[0]!.subarray(0, INNER));
    bytes.set(packet, INNER);
    return changed(bytes, [OUTER_IP], (view) => {
      view.setUint16(OUTER_IP + 2, 28 + length);
      view.setUint16(OUTER_UDP + 4, 8 + length);
    });
  };
  const folder = temporaryFolder(t);
  const path = join(folder, 'frames.pcapng');
  writeFrames(path, [
    around(probe4(a, b, fields), 60),
    around(probe6(a6, b6, { ...fields, size: 80 }), 80),
    UDP_FRAMES[0]!,
  ]);
  const names = ['weft.probe', 'weft.inner.src', 'weft.inner.src6', 'weft.finding', '_ws.malformed'];
  t.deepEqual(fieldsOf(t, folder, path, names), [
    ['1', '10.244.30.0', '', '', ''],
    ['1', '', 'fd00:0:0:30::', '', ''],
    ['', '10.244.30.2', '', '', ''],
  ]);
});

withTshark('weft.lua survives packets that a snap length cut, wherever', (t) => {
  const folder = temporaryFolder(t);
  const path = join(folder, 'cut.pcapng');
  writeFileSync(join(folder, 'leases'), UDP_LEASES + VXLAN_LEASES.replaceAll('192.0.2.', '192.0.3.'));
  const argv = ['-o', `weft.leases:${join(folder, 'leases')}`];
  // Of each length more than the 200 calls that a Lua stack has room for.
  const frames = [...UDP_FRAMES, ...VXLAN_FRAMES].slice(0, 700);
  const snapLengths = [34, 38, 42, 43, 49, 50, 54, 62, 64, 66, 70, 84, 90];
  const cut = snapLengths.flatMap((length) => frames.map((frame) => ({ frame, length })));
  writeFrames(
    path,
    cut.map(({ frame }) => frame),
    (index) => cut[index]!.length,
  );
  const rows = fieldsOf(t, folder, path, ['frame.cap_len', 'frame.protocols', '_ws.lua.error', '_ws.malformed'], argv);
  t.is(rows.length, frames.length * snapLengths.length);
  t.deepEqual(
    rows.filter(([, , error, malformed]) => error !== '' || malformed !== ''),
    [],
  );
});

withTshark("a file of leases may be etcd's keys and values; one that is none is said to be none", (t) => {
  const etcd = `/coreos.com/network/config
{"Network":"10.244.0.0/16","Backend":{"Type":"vxlan","Port":4789,"VNI":1}}
/coreos.com/network/subnets/10.244.15.0-24&fd00:0:0:15::-64
{"PublicIP":"192.0.2.1","PublicIPv6":"2001:db8::1","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"ae:27:6f:57:90:87"}}
/coreos.com/network/subnets/10.244.62.0-24
{"PublicIP":"192.0.2.2","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":9,"VtepMAC":"76:6b:d9:64:b4:40"}}
`;
  const rows = expertsOf(t, VXLAN_FRAMES.slice(0, 2), etcd);
  t.is(rows[0]![0], '');
  t.is(rows[1]![0], 'VNI 1 is not that of the lease of 192.0.2.2');
  for (const [text, problem] of [
    ['10.244.15.0/24\n', /leases, line 1: no subnet with the address of its node/],
    ['\n10.244.15.0/33 192.0.2.1\n', /leases, line 2: no subnet/],
    ['fd00:::1/64 192.0.2.1\n', /leases, line 1: no subnet/],
    ['# none\n', /leases holds no lease/],
  ] as const)
    t.regex(expertsOf(t, UDP_FRAMES.slice(0, 1), text)[0]![0]!, problem);
  const folder = temporaryFolder(t);
  writeFrames(join(folder, 'frames.pcapng'), UDP_FRAMES.slice(0, 1));
  const argv = ['-o', `weft.leases:${join(folder, 'gone')}`];
  const [row] = fieldsOf(t, folder, join(folder, 'frames.pcapng'), ['_ws.expert.message', 'weft.finding'], argv);
  t.regex(row![0]!, /gone: No such file or directory/);
  t.is(row![1], '');
});

withTshark('one subnet of several networks may have a node in each', (t) => {
  const leases = '10.244.30.0/24 192.0.2.1\n10.244.30.0/24 192.0.2.2\n';
  const second = changed(UDP_FRAMES[0]!, [OUTER_IP], (view) => view.setUint32(OUTER_IP + 12, parseIpv4('192.0.2.2')!));
  t.deepEqual(expertsOf(t, [UDP_FRAMES[0]!, second], leases), [
    ['', ''],
    ['', ''],
  ]);
});

withTshark('display filters of weft.lua pick packets', (t) => {
  const argv = [
    ...WITH_DISSECTOR,
    '-r',
    vector('flanneld-udp/h1-underlay'),
    '-Y',
    'weft && weft.inner.src == 10.244.99.2',
  ];
  const { stdout, stderr } = tshark(temporaryFolder(t), argv);
  t.is(stderr, '');
  const lines = stdout.trimEnd().split('\n');
  t.true(lines.length > 10);
  t.true(lines.every((line) => line.includes('10.244.99.2 → 10.244.30.2')));
});
