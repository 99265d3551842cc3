import test from 'ava';
import { readyIn } from './systemd.ts';

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
