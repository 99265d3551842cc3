import test from 'ava';
import { checkFarRequest, type Request } from '../../../lib/bench/far/requests.ts';
import { random } from '../../random.ts';

const GOOD: readonly Request[] = [
  { type: 'describe' },
  { type: 'overlay' },
  { type: 'overlay-use', network: '', peer: '10.244.3.0/24', address: '10.244.3.0' },
  { type: 'usage', place: 'pair' },
  { type: 'tcp-serve', place: 'underlay' },
  { type: 'udp-listen', place: 'overlay', trial: 3, payloadSize: 36, firstWithinMs: 3000, quietMs: 200 },
  { type: 'udp-received', place: 'overlay' },
  { type: 'udp-send', place: 'underlay', trial: 1, payloadSize: 36, rate: null, seconds: 0.5 },
  { type: 'udp-send', place: 'underlay', trial: 1, payloadSize: 36, rate: 5000.5, seconds: 0.5 },
  { type: 'pair-start', backend: 'vxlan' },
  { type: 'pair-join', vtepMac: '02:00:5e:10:00:01' },
  { type: 'pair-join', vtepMac: null },
  { type: 'pair-stop' },
];

const REFUSED = { code: 'FAR_REQUEST' } as const;

test('what the near side asks for is on the list', (t) => {
  for (const request of GOOD) t.is(checkFarRequest(request), request);
});

test('nothing else is: no other request, key, name or number', (t) => {
  const bad: unknown[] = [
    null,
    [],
    'describe',
    {},
    { type: 'exec', command: 'id' },
    { type: 'toString' },
    { type: '__proto__' },
    // Of the near side alone.
    { type: 'tcp-call', place: 'underlay', streams: 1, seconds: 1, reverse: false },
    { type: 'ping', place: 'underlay', count: 1, intervalSeconds: 1 },
    { type: 'describe', path: '/etc/passwd' },
    { type: 'usage' },
    { type: 'usage', place: '/proc/1' },
    { type: 'tcp-serve', place: 'underlay', port: 22 },
    { type: 'udp-send', place: 'underlay', trial: 1, payloadSize: 36, rate: null, seconds: 0.5, to: '198.51.100.1' },
    { type: 'udp-send', place: 'underlay', trial: 1, payloadSize: 36, rate: null, seconds: 1e9 },
    { type: 'udp-send', place: 'underlay', trial: 1, payloadSize: 4, rate: null, seconds: 1 },
    { type: 'udp-send', place: 'underlay', trial: 1, payloadSize: 36, rate: Number.NaN, seconds: 1 },
    { type: 'udp-send', place: 'underlay', trial: 1, payloadSize: 36, rate: -1, seconds: 1 },
    { type: 'udp-listen', place: 'underlay', trial: 1.5, payloadSize: 36, firstWithinMs: 1, quietMs: 1 },
    { type: 'pair-start', backend: 'ipip' },
    { type: 'pair-join', vtepMac: '02:00:5e:10:00:01; id' },
    { type: 'overlay-use', network: '', peer: '10.244.3.0/24 ', address: '10.244.3.0' },
  ];
  for (const request of bad) t.throws(() => checkFarRequest(request), REFUSED, JSON.stringify(request));
});

test('a request with one value changed at random is refused, or has only values that are allowed', (t) => {
  const { next, seed } = random();
  const values: unknown[] = [null, '', 0, -1, 1e300, Number.NaN, [], {}, 'underlay', '../x', true, 2 ** 40];
  for (let i = 0; i < 2000; i++) {
    const request: Record<string, unknown> = { ...GOOD[next(GOOD.length)]! };
    const keys = Object.keys(request);
    request[keys[next(keys.length)]!] = values[next(values.length)];
    try {
      checkFarRequest(request);
    } catch (error) {
      t.like(error, REFUSED, `seed ${seed}`);
    }
  }
  t.pass();
});
