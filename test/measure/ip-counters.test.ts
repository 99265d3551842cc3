import { readFileSync } from 'node:fs';
import test from 'ava';
import { ipCounter } from '../../lib/measure/ip-counters.ts';

test('the column of an IP counter is found by its name', (t) => {
  const snmp = 'Ip: Forwarding FragOKs FragCreates\nIp: 1 5 17\nIcmp: a\nIcmp: 1\n';
  t.is(ipCounter(snmp, 'FragCreates'), 17);
  t.is(ipCounter(snmp, 'FragOKs'), 5);
  for (const name of ['FragCreates', 'ForwDatagrams'])
    t.notThrows(() => ipCounter(readFileSync('/proc/self/net/snmp', 'utf8'), name));
});

test('text without the counter is refused', (t) => {
  t.throws(() => ipCounter('Tcp: x\nTcp: 1\n', 'FragCreates'), { code: 'PROC_FORMAT' });
});
