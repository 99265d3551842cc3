import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import { parseIpv6 } from '../../lib/addr/ipv6.ts';
import { Errno } from '../../lib/sys/errno.ts';
import { close, errno, getsockname, sendto, setsockopt } from '../../lib/sys/ffi.ts';
import { socketAddress } from '../../lib/sys/socket-address.ts';
import { Fragmentation, fragmentationOf, setFragmentation } from '../../lib/sys/socket-option.ts';
import { openSendPool, openUdpSocket, pathMtu } from '../../lib/sys/udp-socket.ts';
import { testInFreshNamespace } from './enter.ts';
import { receive } from './receive.ts';

// One namespace with a loopback device of MTU 1500, so that the underlay is narrower than a datagram may be.
const test = testInFreshNamespace();

const BUFFER = 1 << 20;
const PORT = 4789;
const FAMILIES = [
  { family: 4, address: parseIpv4('127.0.0.1')!, other: parseIpv4('127.0.0.2')!, headers: 20 + 8 },
  { family: 6, address: parseIpv6('::1')!, other: parseIpv6('fd00::1')!, headers: 40 + 8 },
] as const;

function ip(...args: string[]): string {
  return execFileSync('ip', args, { encoding: 'utf8' });
}

function portOf(fd: number): number {
  const name = new Uint8Array(28);
  getsockname(fd, name, new Uint8Array(Uint32Array.of(28).buffer));
  return new DataView(name.buffer).getUint16(2);
}

function send(fd: number, length: number, to: Uint8Array): number {
  return sendto(fd, new Uint8Array(length).fill(7), length, 0, to, to.length) < 0 ? errno() : 0;
}

test('sockaddr_in and sockaddr_in6 are as the kernel fills them', (t) => {
  ip('link', 'set', 'lo', 'mtu', '1500');
  ip('addr', 'add', 'fd00::1/128', 'dev', 'lo', 'nodad');
  for (const { address } of FAMILIES) {
    const fd = openUdpSocket(address, PORT, BUFFER);
    const name = new Uint8Array(28);
    const length = Uint32Array.of(28);
    getsockname(fd, name, new Uint8Array(length.buffer));
    t.deepEqual(socketAddress(address, PORT), name.slice(0, length[0]));
    close(fd);
  }
});

for (const { family, address, other, headers } of FAMILIES) {
  test(`IPv${family}: a datagram arrives with its traffic class`, (t) => {
    const receiver = openUdpSocket(address, PORT, BUFFER);
    const [sender] = openSendPool(other, 1, BUFFER) as [number];
    const [level, option] = family === 4 ? [0, 1] : [41, 67];
    setsockopt(sender, level, option, new Uint8Array(Int32Array.of(0xb9).buffer), 4);
    t.is(send(sender, 100, socketAddress(address, PORT)), 0);
    const datagram = receive(receiver)!;
    t.is(datagram.payload.length, 100);
    t.is(datagram.control.get(`${level}:${option}`), 0xb9);
    t.is(receive(receiver), undefined);
    close(sender);
    close(receiver);
  });

  test(`IPv${family}: overflow of the receive buffer is counted`, (t) => {
    const receiver = openUdpSocket(address, PORT, 4096);
    const [sender] = openSendPool(other, 1, BUFFER) as [number];
    const to = socketAddress(address, PORT);
    for (let i = 0; i < 100; i++) t.is(send(sender, 1000, to), 0);
    let taken = 0;
    while (receive(receiver) !== undefined) taken++;
    t.true(taken < 100);
    t.is(send(sender, 1000, to), 0);
    t.is(receive(receiver)?.control.get('1:40'), 100 - taken);
    close(sender);
    close(receiver);
  });

  test(`IPv${family}: what exceeds the path MTU is EMSGSIZE unless fragments are allowed`, (t) => {
    const receiver = openUdpSocket(address, PORT, BUFFER);
    const sockets = [receiver, ...openSendPool(other, 1, BUFFER)];
    const to = socketAddress(address, PORT);
    t.is(pathMtu(to), 1500);
    for (const fd of sockets) {
      t.is(send(fd, 1500 - headers, to), 0);
      t.is(receive(receiver)?.payload.length, 1500 - headers);
      t.is(send(fd, 1501 - headers, to), Errno.EMSGSIZE);
      const before = fragmentationOf(fd, family);
      setFragmentation(fd, Fragmentation.allowed, family);
      t.is(send(fd, 1501 - headers, to), 0);
      t.is(receive(receiver)?.payload.length, 1501 - headers);
      setFragmentation(fd, before, family);
      t.is(send(fd, 1501 - headers, to), Errno.EMSGSIZE);
    }
    for (const fd of sockets) close(fd);
  });

  test(`IPv${family}: a pool has ports of its own and receives nothing`, (t) => {
    const pool = openSendPool(address, 16, BUFFER);
    const ports = pool.map(portOf);
    t.is(new Set(ports).size, 16);
    const [outside] = openSendPool(other, 1, BUFFER) as [number];
    for (const port of ports) t.is(send(outside, 10, socketAddress(address, port)), 0);
    for (const fd of pool) t.is(receive(fd), undefined);
    for (const fd of [...pool, outside]) close(fd);
  });

  test(`IPv${family}: an address that is not local is named, and nothing stays open`, (t) => {
    const stranger = family === 4 ? parseIpv4('192.0.2.1')! : parseIpv6('2001:db8::1')!;
    const name = family === 4 ? '192.0.2.1' : '[2001:db8::1]';
    const before = ownDescriptors();
    const error = {
      code: 'ADDRESS_NOT_LOCAL',
      message: `Cannot bind UDP ${name}:${PORT}: this host has no such address`,
    };
    t.throws(() => openUdpSocket(stranger, PORT, BUFFER), error);
    t.throws(() => openSendPool(stranger, 4, BUFFER), { code: 'ADDRESS_NOT_LOCAL' });
    t.is(ownDescriptors(), before);
  });
}

test("the families do not take each other's port", (t) => {
  const six = openUdpSocket(0n, PORT, BUFFER);
  const four = openUdpSocket(0, PORT, BUFFER);
  close(six);
  close(four);
  t.pass();
});

test('a port that a process holds is busy', (t) => {
  const holder = openUdpSocket(parseIpv4('127.0.0.1')!, PORT, BUFFER);
  t.throws(() => openUdpSocket(parseIpv4('127.0.0.1')!, PORT, BUFFER), {
    code: 'PORT_BUSY',
    message: 'Cannot bind UDP 127.0.0.1:4789: the port is in use',
  });
  close(holder);
});

function vxlan(name: string, ...options: string[]): void {
  ip('link', 'add', name, 'type', 'vxlan', ...options, 'dstport', String(PORT));
  ip('link', 'set', name, 'up');
}

test('a port that kernel VXLAN devices hold is busy, and the error names them', (t) => {
  const [four, six] = FAMILIES;
  vxlan('flannel.1', 'id', '1', 'local', '127.0.0.1', 'dev', 'lo');
  const error = t.throws(() => openUdpSocket(four.address, PORT, BUFFER), {
    code: 'PORT_BUSY',
    message: 'Cannot bind UDP 127.0.0.1:4789: kernel VXLAN device "flannel.1" (VNI 1) holds the port',
  });
  t.regex((error as { hint?: string }).hint ?? '', /ip link del flannel\.1/);
  // It holds the port for IPv4 only.
  close(openUdpSocket(six.address, PORT, BUFFER));
  vxlan('flannel-v6.9', 'id', '9', 'local', 'fd00::1');
  t.throws(() => openUdpSocket(six.address, PORT, BUFFER), {
    code: 'PORT_BUSY',
    message: 'Cannot bind UDP [::1]:4789: kernel VXLAN device "flannel-v6.9" (VNI 9) holds the port',
  });
  vxlan('flannel.2', 'id', '2', 'local', '127.0.0.1', 'dev', 'lo');
  t.throws(() => openUdpSocket(four.address, PORT, BUFFER), {
    message: /kernel VXLAN devices "flannel\.1" \(VNI 1\), "flannel\.2" \(VNI 2\) hold the port$/,
  });
  for (const name of ['flannel.1', 'flannel.2', 'flannel-v6.9']) ip('link', 'del', name);
});

test('a kernel VXLAN device that is down, or on another port, is not blamed', (t) => {
  ip('link', 'add', 'flannel.1', 'type', 'vxlan', 'id', '1', 'dev', 'lo', 'dstport', String(PORT));
  ip('link', 'add', 'flannel.2', 'type', 'vxlan', 'id', '2', 'dev', 'lo', 'dstport', '8472');
  ip('link', 'set', 'flannel.2', 'up');
  const holder = openUdpSocket(parseIpv4('127.0.0.1')!, PORT, BUFFER);
  t.throws(() => openUdpSocket(parseIpv4('127.0.0.1')!, PORT, BUFFER), { message: /the port is in use$/ });
  close(holder);
  for (const name of ['flannel.1', 'flannel.2']) ip('link', 'del', name);
});

test('the path MTU is undefined without a route', (t) => {
  t.is(pathMtu(socketAddress(parseIpv4('203.0.113.1')!, 1)), undefined);
  t.is(pathMtu(socketAddress(parseIpv6('2001:db8::1')!, 1)), undefined);
});

/** Descriptors of this process; what programs that were run left behind is closed between two tests, not in one. */
function ownDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}
