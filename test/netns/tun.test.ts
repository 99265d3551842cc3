import { statSync } from 'node:fs';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import { parseMac } from '../../lib/addr/mac.ts';
import { addressOf, close, read, sendto, write } from '../../lib/sys/ffi.ts';
import { RouteNetlink } from '../../lib/sys/netlink/rtnetlink.ts';
import { socketAddress } from '../../lib/sys/socket-address.ts';
import { setInterfaceSysctl } from '../../lib/sys/sysctl.ts';
import { openTap, openTun } from '../../lib/sys/tun.ts';
import { openUdpSocket } from '../../lib/sys/udp-socket.ts';
import { testInFreshNamespace } from './enter.ts';

const test = testInFreshNamespace();

const OUR_MAC = parseMac('02:42:0a:f4:01:00')!;
const OUR_BASE = parseIpv4('10.244.1.0')!;
const PEER_MAC = parseMac('02:42:0a:f4:63:00')!;
const PEER_BASE = parseIpv4('10.244.99.0')!;
const VNET_HEADER = 10;

test('a TAP has a MAC address, which can be set, and carries Ethernet frames both ways', (t) => {
  const netlink = RouteNetlink.open();
  for (const vnetHeader of [false, true]) {
    const offset = vnetHeader ? VNET_HEADER : 0;
    const { fd } = openTap('flannel.1', vnetHeader);
    const link = netlink.linkByName('flannel.1')!;
    t.is(link.kind, 'tun');
    t.not(link.mac, undefined);
    netlink.setLinkAddress(link.index, OUR_MAC);
    t.is(netlink.linkByIndex(link.index)?.mac, OUR_MAC);
    // Nothing comes from the device but what is sent here.
    setInterfaceSysctl('ipv6', 'flannel.1', 'disable_ipv6', '1');
    netlink.setLinkUp(link.index);
    netlink.addAddress(link.index, { address: OUR_BASE, length: 32 });
    netlink.setNeighbor({ interfaceIndex: link.index, address: PEER_BASE, mac: PEER_MAC });
    const destination = { family: 4, address: PEER_BASE, length: 24 } as const;
    netlink.addRoute({ destination, interfaceIndex: link.index, gateway: PEER_BASE, onlink: true });
    const udp = openUdpSocket(OUR_BASE, 0, 1 << 16);
    const to = socketAddress(PEER_BASE + 5, 9);
    t.is(sendto(udp, new Uint8Array(100), 100, 0, to, to.length), 100);
    close(udp);
    const frame = new Uint8Array(new SharedArrayBuffer(2048));
    t.is(read(fd, addressOf(frame), frame.length), offset + 14 + 20 + 8 + 100);
    t.is(Buffer.from(frame.slice(offset, offset + 14)).toString('hex'), '02420af4630002420af401000800');
    // To the kernel: an Ethernet frame of a type nobody knows is counted as received.
    const before = netlink.linkStats('flannel.1')!.rxPackets;
    frame.fill(0);
    frame.set([0x02, 0x42, 0x0a, 0xf4, 0x01, 0x00, 2, 0, 0, 0, 0, 2, 0x88, 0xb5], offset);
    t.is(write(fd, addressOf(frame), offset + 60), offset + 60);
    t.is(netlink.linkStats('flannel.1')!.rxPackets, before + 1n);
    close(fd);
    t.is(netlink.linkByName('flannel.1'), undefined);
  }
  netlink.close();
});

test('a device that exists, of either kind, is DEVICE_BUSY', (t) => {
  const { fd } = openTap('flannel.1', false);
  t.throws(() => openTap('flannel.1', false), {
    code: 'DEVICE_BUSY',
    message: 'Cannot create TAP device "flannel.1": a device of that name exists',
  });
  t.throws(() => openTun('flannel.1', false), { code: 'DEVICE_BUSY', message: /TUN device "flannel\.1"/ });
  close(fd);
});

test('a name that is too long is refused', (t) => {
  t.throws(() => openTap('flannel.16777215', false), { code: 'BAD_NAME' });
});

// Last: it gives up the rights of the thread's user for a moment.
test('without rights the hint says what is missing', (t) => {
  const closed = (statSync('/dev/net/tun').mode & 0o006) !== 0o006;
  process.seteuid!(65534);
  try {
    const error = t.throws(() => openTap('flannel.1', false), { code: 'NOT_PERMITTED' }) as { hint?: string };
    t.regex(error.hint ?? '', closed ? /chmod 0666 \/dev\/net\/tun/ : /give the process CAP_NET_ADMIN/);
  } finally {
    process.seteuid!(0);
  }
});
