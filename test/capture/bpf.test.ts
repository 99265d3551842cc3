/** The interpreter of filters, against libpcap's own. */
import test from 'ava';
import { BpfProgram } from '../../lib/capture/bpf.ts';
import { WeftError } from '../../lib/error.ts';
import { compileFilter, matchesByLibpcap } from '../../lib/sys/libpcap.ts';
import { random } from '../random.ts';

const FILTERS = [
  'icmp',
  'icmp6',
  'tcp',
  'udp port 53',
  'host 10.244.2.2',
  'net 10.244.0.0/16 and not icmp',
  'tcp[tcpflags] & tcp-syn != 0',
  'ip6',
  'ip6 host fd00::1',
  'ip[2:2] - ((ip[0] & 0xf) << 2) > 40',
  'portrange 1-1023',
  'greater 100',
  'less 60',
  'ip proto 4',
  'icmp and host 10.244.2.2',
  'ip[8] % 3 = 1',
  'ip[8] / 7 > 2',
  'ip[6:2] & 0x1fff != 0',
  'src net 10.0.0.0/8 or dst port 8285',
  'udp[8:4] = 0x08000000',
  'ip[12:4] ^ ip[16:4] = 3',
  'tcp[13] | 1 = 17',
  'ip[0] >> 4 = 4',
  'ip[0] * 3 < 250',
  'len <= 84',
];

/** Mostly packets of some sense, so that filters look far into them; some are cut, some are noise. */
function randomPacket(next: (limit: number) => number): Uint8Array {
  const packet = Uint8Array.from({ length: next(140) }, () => next(256));
  if (next(8) === 0) return packet;
  const isIpv6 = next(4) === 0;
  const set = (at: number, ...bytes: number[]): void =>
    packet.set(bytes.slice(0, Math.max(0, packet.length - at)), Math.min(at, packet.length));
  set(0, isIpv6 ? 0x60 : 0x45 + next(2));
  set(isIpv6 ? 6 : 9, [1, 6, 17, 4, 58][next(5)]!);
  if (!isIpv6) {
    set(6, next(3) === 0 ? next(64) : 0x40, 0);
    set(12, 10, 244, next(3), next(4), 10, 244, next(3), next(4));
  }
  const ports = [0, 53, 7, 0, 0x20, 0x5d];
  set(isIpv6 ? 40 : 20, ports[next(6)]!, ports[next(6)]!, ports[next(6)]!, ports[next(6)]!);
  return packet;
}

function hasLibpcap(): boolean {
  try {
    compileFilter('ip', 1);
    return true;
  } catch (error) {
    return !(error instanceof WeftError && error.code === 'LIBPCAP_MISSING');
  }
}

(hasLibpcap() ? test : test.skip)('says of every packet what libpcap says', (t) => {
  const { next, seed } = random();
  const packets = Array.from({ length: 400 }, () => randomPacket(next));
  let matched = 0;
  for (const filter of FILTERS) {
    const program = new BpfProgram(compileFilter(filter, 101));
    const expected = matchesByLibpcap(filter, 101, packets);
    for (const [index, packet] of packets.entries()) {
      // Somewhere in a larger memory: what lies around it is not its own.
      const start = next(20);
      const memory = new Uint8Array(start + packet.length + 30).fill(0xff);
      memory.set(packet, start);
      const own = program.run(memory, start, start + packet.length, packet.length) !== 0;
      if (own) matched++;
      if (own !== expected[index]) t.fail(`seed ${seed}: ${filter} on ${Buffer.from(packet).toString('hex')}`);
    }
  }
  t.true(matched > 500);
});

(hasLibpcap() ? test : test.skip)('frames of another implementation are told apart by their Ethernet header', (t) => {
  const frame = new Uint8Array(60);
  frame.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 6]);
  const run = (text: string) => new BpfProgram(compileFilter(text, 1)).run(frame, 0, 60, 60) !== 0;
  t.deepEqual(['arp', 'ip', 'ether src 02:00:00:00:00:01'].map(run), [true, false, true]);
});

test('any program ends, and nothing throws', (t) => {
  const { next, seed } = random();
  for (let round = 0; round < 2000; round++) {
    const program = new BpfProgram(
      Array.from(
        { length: 1 + next(12) },
        () => [next(0x200), next(4), next(4), next(3) === 0 ? next(0xffff_ffff) : next(60)] as const,
      ),
    );
    const packet = Uint8Array.from({ length: next(60) }, () => next(256));
    const result = program.run(packet, 0, packet.length, packet.length);
    t.true(Number.isInteger(result) && result >= 0, `seed ${seed} round ${round}`);
  }
});
