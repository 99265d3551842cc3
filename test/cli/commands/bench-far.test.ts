import test from 'ava';
import { parsePlace, parseServePlace } from '../../../lib/cli/commands/bench-far.ts';

const USAGE = { code: 'USAGE' } as const;

test('a place is an address or a name, and a port', (t) => {
  t.deepEqual(parsePlace('node2', '--peer'), { host: 'node2', port: 8290 });
  t.deepEqual(parsePlace('192.0.2.2:9000', '--peer'), { host: '192.0.2.2', port: 9000 });
  for (const text of ['', ':9000', 'a:', 'a:0', 'a:70000', 'a:65535', 'a:x', '2001:db8::1', 'a:1:2'])
    t.throws(() => parsePlace(text, '--peer'), USAGE, text);
});

test('the far side listens at one address, and says why not at all of them', (t) => {
  t.deepEqual(parseServePlace('192.0.2.2'), { host: '192.0.2.2', port: 8290 });
  t.deepEqual(parseServePlace('127.0.0.1:7000'), { host: '127.0.0.1', port: 7000 });
  t.throws(() => parseServePlace('0.0.0.0'), { ...USAGE, message: /every network of this machine/ });
  for (const text of ['::', '*', 'node2', '224.0.0.1', '255.255.255.255', '0.0.0.1'])
    t.throws(() => parseServePlace(text), USAGE, text);
});
