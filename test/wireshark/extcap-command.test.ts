import { spawnSync } from 'node:child_process';
import test from 'ava';
import { captureCommand, type ExtcapOptions, shellQuoted } from '../../lib/wireshark/extcap-command.ts';

const OWN = { node: '/opt/node 20/bin/node', weft: '/opt/weft/bin/weft' };
const command = (options: Partial<ExtcapOptions> = {}) => captureCommand({ extcapInterface: 'weft', ...options }, OWN);

test('without options all networks of this node are captured whole', (t) => {
  t.deepEqual(command(), [OWN.node, OWN.weft, 'capture', '-w', '-']);
  const empty = { inner: '', outer: ' ', peer: '', edge: 'both', remoteHost: '', remoteWeft: 'weft', network: '' };
  t.deepEqual(command(empty), [OWN.node, OWN.weft, 'capture', '-w', '-']);
});

test('what the form has becomes options of weft capture, one word each', (t) => {
  const options = {
    inner: '-x',
    peer: '192.0.2.2',
    edge: 'overlay',
    dropped: true,
    snapLength: '128',
    raw: true,
    sudo: true,
  };
  t.deepEqual(command({ ...options, extcapInterface: 'weft-blue-1', network: 'red' }), [
    'sudo',
    '-n',
    '--',
    OWN.node,
    OWN.weft,
    'capture',
    '-w',
    '-',
    '--network=blue-1',
    '--inner=-x',
    '--peer=192.0.2.2',
    '--edge=overlay',
    '--dropped',
    '--snap-length=128',
    '--raw',
  ]);
  t.deepEqual(command({ network: 'red' }).slice(-1), ['--network=red']);
});

test("Wireshark's capture filter and the form's are both kept", (t) => {
  t.deepEqual(command({ outer: 'port 1' }).slice(-2), ['--', 'port 1']);
  t.deepEqual(command({ outer: 'port 1', extcapCaptureFilter: 'tcp or udp' }).slice(-2), [
    '--',
    '(tcp or udp) and (port 1)',
  ]);
});

test('on a remote host it is one text for the shell there, and the host is no option of ssh', (t) => {
  const remote = command({
    remoteHost: 'root@node1',
    remoteWeft: '/opt/my weft',
    inner: "icmp and 'x' $(id)",
    sudo: true,
  });
  t.deepEqual(remote.slice(0, -1), ['ssh', '-T', '-o', 'BatchMode=yes', '-o', 'ConnectTimeout=10', '--', 'root@node1']);
  const echoed = spawnSync('sh', ['-c', `printf '%s\\n' ${remote.at(-1)}`], { encoding: 'utf8' }).stdout.split('\n');
  t.deepEqual(echoed.slice(0, -1), [
    'sudo',
    '-n',
    '--',
    '/opt/my weft',
    'capture',
    '-w',
    '-',
    "--inner=icmp and 'x' $(id)",
  ]);
  for (const host of ['-oProxyCommand=x', 'a b', 'a;b', '@x', 'a\nb', "a'b"])
    t.throws(() => command({ remoteHost: host }), { code: 'USAGE' }, host);
  for (const host of ['node1', 'me@node-1.example', '192.0.2.1', '2001:db8::1', 'fe80::1%eth0'])
    t.is(command({ remoteHost: host }).at(-2), host);
});

test('shellQuoted makes one word of anything', (t) => {
  for (const word of ['', 'a', "it's", '$HOME `id` "x"', 'a\\b', '*', '-n', 'ü\n2']) {
    const { stdout } = spawnSync('sh', ['-c', `printf %s ${shellQuoted(word)}`], { encoding: 'utf8' });
    t.is(stdout, word);
  }
});
