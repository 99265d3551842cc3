import test from 'ava';
import { terminalStyle } from '../../lib/cli/style.ts';

test('colour is for terminals that want it', (t) => {
  t.is(terminalStyle({ isTTY: true }, {}).green('x'), '\u001b[32mx\u001b[39m');
  t.is(terminalStyle({ isTTY: true }, { NO_COLOR: '1' }).green('x'), 'x');
  t.is(terminalStyle({}, {}).green('x'), 'x');
});
