import test from 'ava';
import { authorityOf, isHostOf, parseListen } from '../../lib/ui/listen-address.ts';

test('an address with a port, in all forms that people type', (t) => {
  const expected: Record<string, string> = {
    '127.0.0.1:8286': '127.0.0.1:8286 loopback',
    '127.9.9.9:0': '127.9.9.9:0 loopback',
    '127.0.0.1': '127.0.0.1:8286 loopback',
    localhost: '127.0.0.1:8286 loopback',
    'localhost:90': '127.0.0.1:90 loopback',
    ':8000': '127.0.0.1:8000 loopback',
    '[::1]:8286': '[::1]:8286 loopback',
    '::1': '[::1]:8286 loopback',
    '[0:0:0:0:0:0:0:1]:1': '[::1]:1 loopback',
    '0.0.0.0:80': '0.0.0.0',
    '[::]:9': '[::]:9',
    '::': '[::]:8286',
    '192.0.2.1:65535': '192.0.2.1:65535',
    // On the machine it is another's than IPv4's loopback.
    '[::ffff:127.0.0.1]:1': '[::ffff:127.0.0.1]:1',
  };
  for (const [text, words] of Object.entries(expected)) {
    const address = parseListen(text);
    t.truthy(address, text);
    t.is(
      `${authorityOf(address!).replace('::ffff:7f00:1', '::ffff:127.0.0.1')}${address!.isLoopback ? ' loopback' : ''}`,
      words,
      text,
    );
  }
});

test('what is no address is none', (t) => {
  for (const text of [
    '',
    'example.org:80',
    '127.0.0.1:65536',
    '127.0.0.1:-1',
    '127.0.0.1:',
    '256.1.1.1:1',
    '[::1:80',
    '1:2:3',
    '[]:1',
    '127.0.0.1:8286/x',
    ' 127.0.0.1:1',
  ])
    t.is(parseListen(text), undefined, text);
});

test('a Host header names the server by its address or as localhost, with its port, and in no other way', (t) => {
  const loopback = parseListen('127.0.0.1:8286')!;
  for (const host of ['127.0.0.1:8286', 'localhost:8286', 'LocalHost:8286']) t.true(isHostOf(loopback, host), host);
  for (const host of [
    undefined,
    '',
    '127.0.0.1',
    '127.0.0.1:8287',
    '127.0.0.2:8286',
    'evil.example:8286',
    'localhost.evil.example:8286',
    'localhost:8286:8286',
    '[::1]:8286',
    '127.0.0.1:8286@evil.example',
    'evil.example:8286#127.0.0.1:8286',
  ])
    t.false(isHostOf(loopback, host), host);
  const six = parseListen('[::1]:8286')!;
  t.true(isHostOf(six, '[::1]:8286'));
  t.true(isHostOf(six, '[0:0::1]:8286'));
  t.false(isHostOf(six, '127.0.0.1:8286'));
});

test('on all addresses any address is a name of the server, and no other name', (t) => {
  for (const listen of ['0.0.0.0:8286', '[::]:8286']) {
    const all = parseListen(listen)!;
    for (const host of ['192.0.2.1:8286', '[2001:db8::1]:8286', 'localhost:8286']) t.true(isHostOf(all, host), host);
    for (const host of ['node1:8286', 'evil.example:8286', '192.0.2.1']) t.false(isHostOf(all, host), host);
  }
  // The port that browsers leave out.
  t.true(isHostOf(parseListen('127.0.0.1:80')!, '127.0.0.1'));
});
