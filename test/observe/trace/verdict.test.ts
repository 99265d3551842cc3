import test from 'ava';
import type { Point, Suspect } from '../../../lib/observe/trace/model.ts';
import { decide, type Evidence } from '../../../lib/observe/trace/verdict.ts';

function point(text: string, more: Partial<Point> = {}): Point {
  const [kind, place, direction] = text.split('/') as [Point['kind'], string, Point['direction']];
  const common = { host: 'here', device: 'x', seconds: 0, nanoseconds: 0, bytes: 84, note: null, by: null } as const;
  return { ...common, kind, place, direction, icmp: null, ...more };
}

const OUT = ['probe/pod veth/in', 'probe/bridge/in', 'probe/overlay/out', 'probe/underlay/out'];
const BACK = ['answer/underlay/in', 'answer/overlay/in', 'answer/bridge/out'];
const PING = point('underlay-answer/underlay/in', { by: '192.0.2.2' });

function evidence(points: readonly (string | Point)[], more: Partial<Evidence> = {}): Evidence {
  return {
    points: points.map((each) => (typeof each === 'string' ? point(each) : each)),
    suspects: [],
    fromPod: true,
    hasOverlay: true,
    isLocal: false,
    sendError: undefined,
    destination: '10.244.2.2',
    peer: '192.0.2.2',
    ownAddresses: new Set(['192.0.2.1', '10.244.1.1']),
    kernelDrops: new Map(),
    engineDrops: new Map(),
    isLarge: false,
    tunnel: 'UDP port 8285',
    hasFar: false,
    size: 84,
    ...more,
  };
}

const suspect = (stage: Suspect['stage'], code: string, certain = true): Suspect => ({
  stage,
  code,
  text: code,
  hint: '',
  certain,
});
const codeOf = (...args: Parameters<typeof evidence>): string => decide(evidence(...args)).code;

test('it arrives when the answer is back where the probe began', (t) => {
  t.is(codeOf([...OUT, ...BACK]), 'arrived');
  t.is(codeOf([...OUT, ...BACK.slice(0, 2)]), 'lost-return-forward');
  t.is(codeOf([...OUT.slice(2), ...BACK.slice(0, 2)], { fromPod: false }), 'arrived');
  t.is(codeOf([OUT[3]!, BACK[0]!], { fromPod: false, hasOverlay: false }), 'arrived');
});

test('the suspect of the stage where it ended, and no other', (t) => {
  const suspects = [suspect('engine', 'b'), suspect('forward', 'may', false), suspect('forward', 'a')];
  t.is(codeOf(OUT.slice(0, 2), { suspects }), 'a');
  t.is(codeOf(OUT.slice(0, 3), { suspects }), 'b');
  t.is(codeOf([...OUT, ...BACK], { suspects }), 'arrived');
  t.is(codeOf([...OUT, PING], { suspects }), 'port-blocked');
  t.is(codeOf(OUT.slice(0, 2), { suspects: [suspect('forward', 'may', false)] }), 'may');
  // A full packet would not fit; a small one is not lost by that.
  t.is(codeOf([...OUT, PING], { suspects: [suspect('underlay', 'mtu')] }), 'port-blocked');
  t.is(codeOf([...OUT, PING], { suspects: [suspect('underlay', 'mtu')], isLarge: true }), 'mtu');
});

test('silence beyond the underlay: blocked, stopped, gone', (t) => {
  t.is(codeOf([...OUT, PING]), 'port-blocked');
  t.is(codeOf(OUT), 'peer-unreachable');
  const refused = (code: number, by = '192.0.2.2'): Point =>
    point('underlay-error/underlay/in', { by, icmp: { type: 3, code, mtu: 0 } });
  t.is(codeOf([...OUT, PING, refused(3)]), 'far-daemon-stopped');
  t.is(codeOf([...OUT, PING, refused(13, '192.0.2.254')]), 'firewall-reject');
  t.is(codeOf([...OUT, PING, refused(4)]), 'mtu');
  t.is(codeOf([...OUT, PING], { tunnel: '' }), 'far-silent');
  // The tunnel is open: it is not the port.
  const through = point('tunnel-answer/underlay/in', { by: '10.244.2.0' });
  t.is(codeOf([...OUT, PING, through]), 'far-silent');
  t.is(codeOf([...OUT, PING, through], { isLarge: true }), 'mtu');
  t.is(codeOf([...OUT, through]), 'far-silent');
});

test('what somebody says of the probe by ICMP', (t) => {
  const error = (type: number, code: number, by: string): Point =>
    point('error/overlay/in', { by, icmp: { type, code, mtu: 1400 } });
  t.is(codeOf([...OUT, error(3, 4, '10.244.2.1')]), 'mtu');
  t.is(codeOf([...OUT, error(3, 1, '10.244.2.1')]), 'no-such-pod');
  t.is(codeOf([...OUT, error(11, 0, '10.244.2.1')]), 'ttl');
  t.is(codeOf([...OUT, error(3, 13, '10.244.2.1')]), 'firewall-reject');
  t.is(codeOf([...OUT.slice(0, 2), error(3, 0, '10.244.1.1')]), 'no-route');
  const suspects = [suspect('forward', 'no-lease')];
  t.is(codeOf([...OUT.slice(0, 2), error(3, 0, '10.244.1.1')], { suspects }), 'no-lease');
  const stopped = [suspect('forward', 'daemon-stopped')];
  t.is(codeOf([...OUT, error(3, 0, '198.51.100.1')], { suspects: stopped }), 'daemon-stopped', 'no tunnel works');
});

test('with the other host: how far it came there', (t) => {
  const far = (text: string): Point => point(text, { host: 'far' });
  const seen = (...texts: string[]): string => codeOf([...OUT, PING, ...texts.map(far)], { hasFar: true });
  t.is(seen(), 'port-blocked');
  t.is(seen('probe/underlay/in'), 'far-engine');
  t.is(seen('probe/underlay/in', 'probe/overlay/in'), 'far-forward');
  t.is(seen('probe/overlay/in', 'probe/bridge/out'), 'pod-silent');
  t.is(seen('probe/bridge/out', 'answer/bridge/in'), 'far-return');
  t.is(seen('probe/bridge/out', 'answer/underlay/out'), 'port-blocked');
});

test('counters that rose, when no table tells', (t) => {
  t.is(codeOf(OUT.slice(0, 2), { kernelDrops: new Map([['TcpExtIPReversePathFilter', 1]]) }), 'rp-filter');
  t.is(codeOf(OUT.slice(0, 3), { engineDrops: new Map([['no-route', 1]]) }), 'dropped-no-route');
  t.is(codeOf([...OUT, BACK[0]!], { engineDrops: new Map([['spoofed-source', 2]]) }), 'dropped-spoofed-source');
  t.is(codeOf([], { sendError: { code: 'EPERM', message: 'x' } }), 'firewall-output');
});

test('what weftd says of the packet itself comes before counters, and behind a suspect that explains it', (t) => {
  const dropped = (text: string, reason: string): Point => point(text, { dropped: reason });
  const engineDrops = new Map([['too-big', 3]]);
  const lost = [...OUT.slice(0, 3), dropped('probe/weftd/out', 'no-route')];
  t.is(codeOf(lost, { engineDrops }), 'dropped-no-route');
  t.is(codeOf(OUT.slice(0, 3), { engineDrops }), 'dropped-too-big');
  t.is(codeOf(lost, { suspects: [suspect('engine', 'no-lease')] }), 'no-lease');
  const back = [...OUT, BACK[0]!, dropped('answer/weftd/in', 'unknown-peer')];
  t.is(codeOf(back), 'dropped-unknown-peer');
  t.regex(decide(evidence(back)).text, /weftd drops the answer as unknown-peer/);
  // One that was dropped and one that arrived: it arrived.
  t.is(codeOf([...back, ...BACK]), 'arrived');
});
