import test from 'ava';
import { checkFarReply, readFarMessage } from '../../../lib/bench/far/replies.ts';
import type { ReplyTo, RequestType } from '../../../lib/bench/far/requests.ts';
import { random } from '../../random.ts';

const GOOD: { readonly [T in RequestType]?: ReplyTo<T> } = {
  describe: {
    environment: {
      kernel: '6.18.0',
      cpu: 'unknown',
      cpus: 2,
      memoryBytes: 8e9,
      node: 'v24.0.0',
      weft: '0.1.0',
      commit: null,
      loadAverage: 0.5,
      defaultCongestionControl: 'cubic',
    },
    isRoot: true,
    missing: ['etcd'],
  },
  overlay: {
    networks: [{ name: '', backend: 'udp', subnet: '10.244.7.0/24', address: null, mtu: 1472 }],
    why: null,
  },
  usage: { machine: { user: 10.5, kernel: 0 }, daemon: { user: 0, kernel: 1 }, residentBytes: 9e7 },
  'udp-received': { received: 0, duplicates: 0, reordered: 0, foreign: 0 },
  'udp-send': { sent: 1000, seconds: 0.5 },
  'pair-start': { vtepMac: null },
  'pair-stop': {},
};

const REFUSED = { code: 'FAR_PROTOCOL' } as const;

function types(): RequestType[] {
  return Object.keys(GOOD) as RequestType[];
}

test('what a far side answers is taken, and a key more does no harm', (t) => {
  for (const type of types()) {
    t.notThrows(() => checkFarReply(type, GOOD[type]), type);
    t.notThrows(() => checkFarReply(type, { ...(GOOD[type] as object), later: 1 }), type);
  }
});

test('a far side that lies is not believed: each value that no machine has is refused', (t) => {
  const lies: readonly (readonly [RequestType, unknown])[] = [
    ['describe', null],
    ['describe', {}],
    ['describe', 'yes'],
    ['describe', { ...GOOD.describe, missing: 'iperf3' }],
    ['describe', { ...GOOD.describe, environment: { ...GOOD.describe!.environment, cpus: -1 } }],
    ['overlay', { networks: {}, why: null }],
    ['overlay', { networks: [{ ...GOOD.overlay!.networks[0], address: '10.0.0.1; reboot' }], why: null }],
    ['overlay', { networks: Array.from({ length: 1000 }, () => GOOD.overlay!.networks[0]), why: null }],
    ['usage', { ...GOOD.usage, machine: { user: -1, kernel: 0 } }],
    ['usage', { ...GOOD.usage, machine: { user: 1 } }],
    ['usage', { ...GOOD.usage, residentBytes: 'much' }],
    ['udp-received', { received: -1 }],
    ['udp-received', { received: 1.5 }],
    ['udp-received', {}],
    ['udp-send', { sent: 1000, seconds: 0 }],
    ['udp-send', { sent: 1000, seconds: -1 }],
    ['udp-send', { sent: JSON.parse('1e999') as number, seconds: 1 }],
    ['udp-send', { sent: Number.NaN, seconds: 1 }],
    ['pair-start', { vtepMac: '02:00:5e:10:00:01"}' }],
    ['pair-start', undefined],
  ];
  for (const [type, value] of lies)
    t.throws(() => checkFarReply(type, value), REFUSED, `${type} ${JSON.stringify(value)}`);
});

test('a reply with a key left out at random is refused', (t) => {
  const { next, seed } = random();
  const keyed = types().filter((type) => type !== 'pair-stop' && type !== 'udp-received');
  for (let i = 0; i < 500; i++) {
    const type = keyed[next(keyed.length)]!;
    const reply = { ...(GOOD[type] as Record<string, unknown>) };
    const keys = Object.keys(reply);
    delete reply[keys[next(keys.length)]!];
    t.throws(() => checkFarReply(type, reply), REFUSED, `seed ${seed}: ${type} ${JSON.stringify(reply)}`);
  }
});

test('a line is a reply, an error, or why the far side ends; everything else is none', (t) => {
  for (const good of [
    { id: 1, value: null },
    { id: 2, value: {} },
    { id: 2 },
    { id: 3, error: { code: 'TOOL_MISSING', message: 'no', hint: null } },
    { closing: 'Ctrl-C there' },
  ])
    t.is(readFarMessage(good) as unknown, good as unknown);
  for (const bad of [
    null,
    7,
    'x',
    [],
    {},
    { id: '1', value: 1 },
    { id: -1, value: 1 },
    { id: 1, error: null },
    { id: 1, error: { code: 5, message: 'x', hint: null } },
    { id: 1, error: { code: 'X', message: 'x'.repeat(5000), hint: null } },
    { closing: {} },
  ])
    t.throws(() => readFarMessage(bad), REFUSED, JSON.stringify(bad));
});
