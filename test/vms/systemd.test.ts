import test from 'ava';
import { readyIn, stopCheck } from './systemd.ts';

test('the journal has the line of a weftd that is ready, among those of systemd', (t) => {
  const text = `Starting weftd.service - Weft overlay network...
{"level":"info","version":"0.1.0","msg":"weftd starts"}
{"level":"info","subnet":"10.5.64.0/24","peers":1,"msg":"Ready"}
Started weftd.service - Weft overlay network.
`;
  t.is(readyIn(text), '10.5.64.0/24');
  t.is(readyIn(text.replace('Ready', 'Waiting')), undefined);
  t.is(readyIn(''), undefined);
});

test('a stop is right when it ends with 0, or says that it took too long; the device is gone and subnet.env is not', (t) => {
  const whole = 'Result=success\nExecMainStatus=0\nActiveState=inactive\neth0\nsubnet.env\n';
  t.is(stopCheck(whole, '').fault, undefined);
  t.truthy(stopCheck(whole.replace('eth0', 'flannel.1'), '').fault);
  t.truthy(stopCheck(whole.replace('subnet.env', ''), '').fault);
  const failed = 'Result=exit-code\nExecMainStatus=1\nActiveState=failed\neth0\nsubnet.env\n';
  t.truthy(stopCheck(failed, '{"level":"error","msg":"Internal error"}').fault);
  const cut = stopCheck(failed, '{"level":"error","deadlineMs":900,"msg":"Stopping takes too long: ending at once"}');
  t.deepEqual([cut.fault, cut.seen], [undefined, 'cut off by its limit of 0.9 s, no device, subnet.env stays']);
});
