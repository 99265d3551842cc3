import test from 'ava';
import { checkFilter, failure } from '../../lib/wireshark/extcap-run.ts';

const here = { command: ['node'], host: undefined, sudo: false };

test('what a capture said is the sentence of the dialogue, without what is no reason', (t) => {
  const said =
    'weft: capturing on u0 (underlay) to standard output; Ctrl-C ends it\nweft: Cannot open a packet socket: EPERM\n';
  t.is(failure(here, 1, said).message, 'Cannot open a packet socket: EPERM');
  t.is(failure(here, null, '').message, 'node ended with a signal');
});

test('what to do stands below: sudo, keys of ssh, the path of weft there', (t) => {
  const hint = (host: string | undefined, sudo: boolean, code: number, said: string) =>
    failure({ command: ['x'], host, sudo }, code, said).hint ?? '';
  t.regex(hint(undefined, false, 1, 'weft: No permission to use /run/weft/weft.sock'), /Tick "With sudo"/);
  t.regex(hint(undefined, true, 1, 'sudo: a password is required'), /without a password/);
  t.regex(hint('a@b', false, 255, 'Permission denied (publickey).'), /`ssh a@b true`/);
  t.regex(hint('a@b', false, 127, 'sh: 1: weft: not found'), /field "weft on the remote host"/);
  t.is(failure({ command: ['ssh'], host: 'a@b', sudo: false }, 255, 'timed out\n').message, 'On a@b: timed out');
});

test('of a capture filter that is none libpcap says why', (t) => {
  t.is(checkFilter('udp port 8285'), '');
  t.is(checkFilter(''), '');
  t.regex(checkFilter('udp portt 5'), /^The filter "udp portt 5" is not one: .*\n$/);
});
