import { execFileSync } from 'node:child_process';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import { Errno } from '../../lib/sys/errno.ts';
import { close, errno, sendto } from '../../lib/sys/ffi.ts';
import { openIpipSocket } from '../../lib/sys/ipip-socket.ts';
import { socketAddress } from '../../lib/sys/socket-address.ts';
import { Fragmentation, setFragmentation } from '../../lib/sys/socket-option.ts';
import { pathMtu } from '../../lib/sys/udp-socket.ts';
import { testInFreshNamespace } from './enter.ts';
import { receive } from './receive.ts';

// One namespace with a loopback device of MTU 1500.
const test = testInFreshNamespace();

const BUFFER = 1 << 20;
const OUTER_HEADER = 20;
const HERE = parseIpv4('127.0.0.1')!;
const THERE = parseIpv4('127.0.0.2')!;
const TO_THERE = socketAddress(THERE, 0);

function send(fd: number, length: number): number {
  return sendto(fd, new Uint8Array(length).fill(7), length, 0, TO_THERE, 16) < 0 ? errno() : 0;
}

function withPair(body: (here: number, there: number) => void, bufferBytes = BUFFER): void {
  execFileSync('ip', ['link', 'set', 'lo', 'mtu', '1500']);
  const here = openIpipSocket(HERE, BUFFER);
  const there = openIpipSocket(THERE, bufferBytes);
  try {
    body(here, there);
  } finally {
    close(here);
    close(there);
  }
}

test('a payload arrives behind an outer header of protocol 4 with DF, only at its destination', (t) => {
  withPair((here, there) => {
    t.is(send(here, 100), 0);
    const { payload } = receive(there)!;
    t.is(payload.length, OUTER_HEADER + 100);
    const view = new DataView(payload.buffer);
    t.is(view.getUint8(0), 0x45);
    t.is(view.getUint16(6), 0x4000, 'DF, no fragment');
    t.is(view.getUint8(9), 4);
    t.is(view.getUint32(12), HERE);
    t.is(view.getUint32(16), THERE);
    t.deepEqual(
      [...payload.subarray(OUTER_HEADER)],
      Array.from({ length: 100 }, () => 7),
    );
    t.is(receive(there), undefined);
    t.is(receive(here), undefined);
  });
});

test('what exceeds the path MTU is EMSGSIZE; allowed to be fragmented, it arrives whole', (t) => {
  withPair((here, there) => {
    t.is(pathMtu(TO_THERE), 1500);
    t.is(send(here, 1500 - OUTER_HEADER), 0);
    t.is(receive(there)?.payload.length, 1500);
    t.is(send(here, 1501 - OUTER_HEADER), Errno.EMSGSIZE);
    setFragmentation(here, Fragmentation.allowed, 4);
    t.is(send(here, 3000), 0);
    t.is(receive(there)?.payload.length, OUTER_HEADER + 3000);
    setFragmentation(here, Fragmentation.forbidden, 4);
    t.is(send(here, 1501 - OUTER_HEADER), Errno.EMSGSIZE);
  });
});

test('overflow of the receive buffer is counted', (t) => {
  withPair((here, there) => {
    for (let i = 0; i < 100; i++) t.is(send(here, 1000), 0);
    let taken = 0;
    while (receive(there) !== undefined) taken++;
    t.true(taken < 100);
    t.is(send(here, 1000), 0);
    t.is(receive(there)?.control.get('1:40'), 100 - taken);
  }, 4096);
});

test('an address that is not local is named', (t) => {
  t.throws(() => openIpipSocket(parseIpv4('192.0.2.1')!, BUFFER), {
    code: 'ADDRESS_NOT_LOCAL',
    message: 'Cannot bind IP protocol 4 on 192.0.2.1: this host has no such address',
  });
});

// Last: it gives up the rights of the thread's user for a moment.
test('without CAP_NET_RAW it says so', (t) => {
  process.seteuid!(65534);
  try {
    const error = t.throws(() => openIpipSocket(HERE, BUFFER), { code: 'NOT_PERMITTED' });
    t.like(error, { hint: 'run as root, or give the process CAP_NET_RAW' });
  } finally {
    process.seteuid!(0);
  }
});
