import { formatMac, type Mac, parseMac } from '../../lib/addr/mac.ts';
import { SOCK_CLOEXEC, SOCK_RAW } from '../../lib/linux/socket.ts';
import { check, Errno } from '../../lib/sys/errno.ts';
import { addressOf, close, read, sendto, socket } from '../../lib/sys/ffi.ts';
import { RouteNetlink } from '../../lib/sys/netlink/rtnetlink.ts';
import { dropGroupFramesFrom, MAX_FILTERED_SOURCES } from '../../lib/sys/packet-filter.ts';
import { setInterfaceSysctl } from '../../lib/sys/sysctl.ts';
import { openTap, openTun, setTunFilter } from '../../lib/sys/tun.ts';
import { testInFreshNamespace } from './enter.ts';

const test = testInFreshNamespace();

const AF_PACKET = 17;
const FRAME = 60;

const mac = (text: string): Mac => parseMac(text)!;
const BROADCAST = mac('ff:ff:ff:ff:ff:ff');
const MULTICAST = mac('33:33:00:00:00:16');
const UNICAST = mac('02:42:0a:f4:63:00');
/** Neighbours differ in the first and in the last bits only, so that both comparisons of a source have to be right. */
const STORMS = [
  '02:00:00:00:00:01',
  '02:00:00:00:00:02',
  '02:00:00:01:00:01',
  'fe:ff:ff:ff:ff:ff',
  '82:00:00:00:00:01',
  '02:00:00:00:80:01',
  '0a:58:0a:f4:01:05',
  '0a:58:0a:f4:01:06',
].map(mac);
const CALM = ['02:00:00:00:00:03', '02:00:00:02:00:01', '0a:58:0a:f4:01:07', 'fe:ff:ff:ff:ff:fe'].map(mac);

interface Fixture {
  readonly fd: number;
  /** Sends a frame out of the device, as a pod's bridge would; true when its reader gets it. */
  readonly passes: (destination: Mac, source: Mac) => boolean;
  /** tx_dropped of the device. */
  readonly drops: () => bigint;
}

function withTap(vnetHeader: boolean, body: (fixture: Fixture) => void): void {
  const { fd, name } = openTap('flannel.1', vnetHeader);
  const packets = check(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), 'socket', 'AF_PACKET');
  const netlink = RouteNetlink.open();
  try {
    setInterfaceSysctl('ipv6', name, 'disable_ipv6', '1');
    const { index } = netlink.linkByName(name)!;
    netlink.setLinkUp(index);
    // struct sockaddr_ll: family, protocol, interface.
    const to = new Uint8Array(20);
    new DataView(to.buffer).setUint16(0, AF_PACKET, true);
    new DataView(to.buffer).setInt32(4, index, true);
    const buffer = new Uint8Array(new SharedArrayBuffer(2048));
    const passes = (destination: Mac, source: Mac): boolean => {
      const frame = Buffer.alloc(FRAME);
      frame.writeUIntBE(destination, 0, 6);
      frame.writeUIntBE(source, 6, 6);
      frame.writeUInt16BE(0x88b5, 12);
      check(sendto(packets, frame, FRAME, 0, to, to.length), 'sendto', formatMac(source));
      const length = read(fd, addressOf(buffer), buffer.length);
      if (length < 0) return false;
      const offset = vnetHeader ? 10 : 0;
      if (!frame.equals(buffer.slice(offset, length))) throw new Error('another frame than was sent');
      return true;
    };
    body({ fd, passes, drops: () => netlink.linkStats(name)!.txDropped });
  } finally {
    netlink.close();
    close(packets);
    close(fd);
  }
}

for (const vnetHeader of [false, true]) {
  test(`the kernel drops group frames of the named sources ${vnetHeader ? 'with' : 'without'} a virtio_net_hdr`, (t) => {
    withTap(vnetHeader, ({ fd, passes, drops }) => {
      for (let count = 0; count <= MAX_FILTERED_SOURCES; count++) {
        const sources = STORMS.slice(0, count);
        t.is(setTunFilter(fd, dropGroupFramesFrom(sources)), 0);
        const before = drops();
        for (const source of [...STORMS, ...CALM]) {
          const title = `${formatMac(source)} with a filter for ${count}`;
          const isDropped = sources.includes(source);
          t.is(passes(BROADCAST, source), !isDropped, title);
          t.is(passes(MULTICAST, source), !isDropped, title);
          t.true(passes(UNICAST, source), title);
        }
        t.is(drops() - before, BigInt(2 * count));
      }
      t.false(passes(BROADCAST, STORMS[0]!));
      t.is(setTunFilter(fd, undefined), 0);
      t.true(passes(BROADCAST, STORMS[0]!));
      t.is(setTunFilter(fd, undefined), 0, 'nothing to take away is no error');
    });
  });
}

test('a TUN takes no filter', (t) => {
  const { fd } = openTun('flannel0', false);
  t.is(setTunFilter(fd, dropGroupFramesFrom([])), Errno.EINVAL);
  close(fd);
});

test('more sources than a filter holds are refused', (t) => {
  t.throws(() => dropGroupFramesFrom([...STORMS, ...CALM]), { instanceOf: RangeError });
});
