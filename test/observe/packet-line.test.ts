import test from 'ava';
import type { WirePacket } from '../../lib/capture/wire-packet.ts';
import { type LinePacket, PacketLines } from '../../lib/observe/packet-line.ts';
import { probe4 } from '../../lib/wire/probe.ts';
import { UDP_FRAMES, VXLAN_FRAMES } from '../capture/frames.ts';
import { random } from '../random.ts';

const PORTS = new Map([
  [8285, 'ip'],
  [4789, 'vxlan'],
] as const);
const ETHERNET = 14;

function packet(bytes: Uint8Array, change: Partial<WirePacket> = {}): WirePacket {
  const length = bytes.length;
  const state = { index: 0, of: 1, idRebuilt: false, checksumUnfinished: false, notCut: false };
  return { memory: bytes, start: 0, end: length, bytes, length, ...state, ...change };
}

/** On the underlay. */
function underlay(bytes: Uint8Array, change: Partial<LinePacket> = {}): LinePacket {
  const time = { seconds: 1_795_364_980, nanoseconds: 120_441_817 };
  return { ...time, outgoing: true, device: 'eth0', linkType: 1, packet: packet(bytes), tunnels: PORTS, ...change };
}

/** What a frame of the udp backend carries, on the overlay. */
function overlay(frame: Uint8Array, change: Partial<LinePacket> = {}): LinePacket {
  const inner = packet(frame.subarray(ETHERNET + 28));
  return underlay(frame, { device: 'flannel0', linkType: 101, packet: inner, ...change });
}

const request = UDP_FRAMES.find((frame) => frame[ETHERNET + 28 + 9] === 1 && frame[ETHERNET + 28 + 20] === 8)!;
const bodyOf = (line: string): string => line.replace(/^[\d:]{8}\.\d{9} /, '');

test('the overlay shows the inner packet, the underlay both, and the time between', (t) => {
  const lines = new PacketLines(['flannel0', 'eth0']);
  const first = lines.line(overlay(request));
  t.regex(first, /^\d\d:\d\d:40\.120441817 flannel0 > 10\.244\.30\.2 > 10\.244\.99\.2 {2}echo request \d+$/);
  const second = lines.line(underlay(request, { nanoseconds: 120_509_233 }));
  t.regex(bodyOf(second), /^eth0 {5}> 192\.0\.2\.1 > 192\.0\.2\.2.* \| echo request \d+ {2}67 us$/);
  t.is(second.length <= 80, true);
});

test('what is received comes the other way, and a second sight on the same device is no time between', (t) => {
  const lines = new PacketLines(['eth0']);
  const { outer, inner, direction, sinceUs, length, verdict, notes, time } = lines.report(
    underlay(request, { outgoing: false }),
  );
  t.is(outer, '192.0.2.1 > 192.0.2.2 udp 8285');
  t.regex(inner, /^10\.244\.30\.2 > 10\.244\.99\.2 {2}echo request \d+$/);
  t.deepEqual(
    [direction, sinceUs, length, verdict, notes, time],
    ['in', null, request.length, null, [], '1795364980.120441817'],
  );
  t.is(lines.report(underlay(request, { nanoseconds: 999_999_999 })).sinceUs, null);
});

test('VXLAN is looked into, ARP too; notes and verdicts are there', (t) => {
  const lines = new PacketLines(['eth0']);
  const texts = VXLAN_FRAMES.map((frame) => lines.line(underlay(frame), 0));
  t.true(texts.some((text) => /192\.0\.2\.1 > 192\.0\.2\.2 udp 4789 \| 10\.244\.15\.2 > .*echo request/.test(text)));
  t.true(texts.some((text) => / \| .*tcp \d+ > \d+ [FSRPAUEC]+ \d+ B/.test(text)));
  const noted = packet(request, { notCut: true, idRebuilt: true });
  t.regex(lines.line(underlay(request, { packet: noted }), 0), / \(super-packet, not cut, ID rebuilt\)/);
  const dropped = lines.line(overlay(request, { device: 'weftd', verdict: 'dropped: no-route' }));
  t.regex(dropped, /echo request \d+ {2}dropped: no-route$/);
});

test('where both ends have no room the other one is there, and the length before a near address', (t) => {
  const tcp = UDP_FRAMES.find((frame) => frame[ETHERNET + 28 + 9] === 6 && frame.length > 400)!;
  const lines = new PacketLines(['flannel0', 'eth0']);
  const width = 80;
  const there = { verdict: 'dropped: no-route' };
  t.regex(bodyOf(lines.line(overlay(tcp, there), width)), /^flannel0 > 10\.244\.99\.2 {2}tcp/);
  t.regex(bodyOf(lines.line(overlay(tcp, { ...there, outgoing: false }), width)), /^flannel0 < 10\.244\.30\.2 {2}tcp/);
  const out = underlay(tcp, { outgoing: true });
  t.regex(bodyOf(lines.line(out, 90)), /^eth0 {5}> 192\.0\.2\.1 > 192\.0\.2\.2 \| tcp \d+ > \d+ [A-Z]+ \d+ B/);
  t.regex(bodyOf(lines.line(out, 72)), /^eth0 {5}> 192\.0\.2\.2 \| tcp \d+ > \d+ [A-Z]+ \d+ B/);
});

test('what is unreachable is said in a word', (t) => {
  const bytes = Uint8Array.from(request.subarray(ETHERNET + 28));
  bytes.set([3, 1], 20);
  const lines = new PacketLines(['flannel0']);
  const shown = (): string => lines.report(overlay(request, { packet: packet(bytes) })).inner;
  t.regex(shown(), / {2}host unreachable$/);
  bytes[21] = 13;
  t.regex(shown(), / {2}unreachable code 13$/);
});

test("an echo of the peer monitor is not taken for somebody's ping, however short the line", (t) => {
  const inner = probe4(0x0af4_1e00, 0x0af4_6300, { sequence: 34, token: 1n, size: 60 });
  const bytes = new Uint8Array([...request.subarray(0, ETHERNET + 28), ...inner]);
  const lines = new PacketLines(['eth0']);
  t.regex(lines.line(underlay(bytes)), /192\.0\.2\.2 \| weftd's probe 34$/);
  t.deepEqual(lines.report(underlay(bytes)).notes, ["weftd's own probe"]);
});

test('a packet that no frame has room for, or that is none, is said to be that', (t) => {
  const lines = new PacketLines(['eth0']);
  const of = (bytes: Uint8Array, linkType = 1): string => lines.report(underlay(bytes, { linkType })).inner;
  t.is(of(new Uint8Array(5)), '5 bytes that are no IP packet');
  t.is(of(new Uint8Array(0), 101), '0 bytes that are no IP packet');
  const arp = new Uint8Array(42);
  arp.set([8, 6, 0, 1, 8, 0, 6, 4, 0, 1], 12);
  arp.set([192, 0, 2, 1], 28);
  arp.set([192, 0, 2, 2], 38);
  t.is(of(arp), 'ARP who has 192.0.2.2, asks 192.0.2.1');
  arp[21] = 2;
  t.is(of(arp), 'ARP 192.0.2.1 answers 192.0.2.2');
  arp.set([0x88, 0xcc], 12);
  t.is(of(arp), 'Ethernet type 88cc, 42 bytes');
});

test('whatever a packet is, its line has at most 80 columns and no control character', (t) => {
  const dice = random();
  const devices = ['e', 'eth0', 'a-long-name-15c', 'weftd:a-network-with-a-long-name-of-its-own'];
  const lines = new PacketLines(devices);
  const verdicts = [
    undefined,
    'dropped: no-route',
    'dropped: outer-source-unknown (44 packets), peer 2001:db8:1:2:3:4:5:6',
  ];
  const frames = [...UDP_FRAMES, ...VXLAN_FRAMES];
  for (let i = 0; i < 3000; i++) {
    const bytes = Uint8Array.from(frames[dice.next(frames.length)]!);
    for (let n = dice.next(4); n > 0; n--) bytes[dice.next(bytes.length)] = dice.next(256);
    const end = dice.next(3) === 0 ? dice.next(bytes.length + 1) : bytes.length;
    const verdict = verdicts[dice.next(verdicts.length)];
    const line = lines.line(
      underlay(bytes, {
        packet: packet(bytes, { end, notCut: dice.next(5) === 0 }),
        device: devices[dice.next(devices.length)]!,
        linkType: dice.next(4) === 0 ? 101 : 1,
        ...(verdict !== undefined && { verdict }),
      }),
    );
    if (line.length > 80 || !/^[\x20-\x7e]+$/.test(line)) t.fail(`seed ${dice.seed}: ${JSON.stringify(line)}`);
  }
  t.pass();
});
