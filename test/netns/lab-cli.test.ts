import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { formatMap } from '../../lib/cli/lab-map.ts';
import { startDaemon } from '../../lib/lab/daemon.ts';
import { etcdctl } from '../../lib/lab/etcd.ts';
import { findLab } from '../../lib/lab/lab.ts';
import { describeLab, directoryOf, isNamespaceOf, layOut } from '../../lib/lab/layout.ts';
import { listNamespaces, processesIn } from '../../lib/lab/netns.ts';
import { withLab } from '../../lib/lab/with-lab.ts';
import { testInLabs } from './labs.ts';
import { start } from './weft.ts';

// Each command line in a process of its own (lab-command.ts), as a user has it.
const { id, test } = testInLabs('c');

const COMMAND = fileURLToPath(new URL('./lab-command.js', import.meta.url));

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function weftLab(args: readonly string[], uid?: number): Promise<Outcome> {
  const child = spawn(process.execPath, [COMMAND, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...(uid !== undefined && { LAB_COMMAND_UID: String(uid) }) },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })));
}

test('up, exec, list and down, each in its own process', async (t) => {
  const up = await weftLab(['up', '--id', id, '--hosts', '3', '--no-daemon', '--backend-config', '{"Type":"vxlan"}']);
  t.is(up.code, 0, up.stderr);
  t.regex(up.stdout, /h3 192\.0\.2\.3/);
  const lab = await findLab(id);
  t.is(lab?.hosts.length, 3);
  const config = await etcdctl(lab!, ['get', '--print-value-only', '/coreos.com/network/config']);
  t.deepEqual(JSON.parse(config.stdout), { Network: '10.244.0.0/16', Backend: { Type: 'vxlan' } });

  const ping = await weftLab(['exec', '--id', id, 'h1', '--', 'ping', '-c', '1', '-W', '2', '192.0.2.3']);
  t.like(ping, { code: 0 });
  t.regex(ping.stdout, /1 received/);
  t.like(await weftLab(['exec', '--id', id, 'pod2', '--', 'sh', '-c', 'exit 7']), { code: 7 });
  t.like(await weftLab(['exec', '--id', id, 'pod2', 'sh', '-c', 'kill -9 $$']), { code: 128 + 9 });
  t.is((await weftLab(['show', '--id', id])).stdout, up.stdout);
  const weft = await weftLab(['exec', '--id', id, 'h2', '--', 'weft', 'peers']);
  t.like(weft, { code: 1, stdout: '' }, 'it is found, and asks the daemon of h2, which does not run (N6)');
  t.regex(weft.stderr, /^weft: No control socket at .*\/h2\/weft\.sock\n/);
  t.like(await weftLab(['exec', '--id', id, 'h4', 'true']), { code: 1, stdout: '' });

  const labs = JSON.parse((await weftLab(['list', '--json'])).stdout) as { id: string }[];
  t.deepEqual(
    labs.find((entry) => entry.id === id),
    { id, complete: true, hosts: 3, processes: 1 } as never,
  );
  t.regex((await weftLab(['up', '--id', id, '--no-daemon'])).stderr, /^LAB_EXISTS: [^\n]*\n$/);

  const etcd = processesIn([lab!.etcdNetns]);
  t.is(etcd.length, 1);
  t.is((await weftLab(['down', '--id', id])).stdout, `Lab "${id}" is removed\n`);
  t.deepEqual(
    listNamespaces().filter((name) => isNamespaceOf(id, name)),
    [],
  );
  t.false(existsSync(directoryOf(id)));
  t.is((await weftLab(['down', '--id', id])).stdout, `There is no lab "${id}"\n`);
});

test("programs of the system's folders are found with a user's PATH (N1)", async (t) => {
  await withLab({ id, hosts: 1 }, async () => {
    const weft = fileURLToPath(new URL('../../../bin/weft', import.meta.url));
    // What `sudo env "PATH=$PATH"` hands on: no sbin, where Debian keeps ethtool.
    const env = { PATH: '/usr/local/bin:/usr/bin:/bin' };
    const argv = [weft, 'lab', 'exec', '--id', id, 'h1', '--', 'ethtool', '-k', 'u0'];
    const { status, stdout, stderr } = spawnSync(process.execPath, argv, { encoding: 'utf8', env });
    t.is(status, 0, stderr);
    t.regex(stdout, /tcp-segmentation-offload: on/);
  });
});

test('the options of up say what the network and the underlay are like', async (t) => {
  const up = await weftLab(['up', '--id', id, '--no-daemon', '--backend', 'vxlan', '--dual-stack', '--mtu', '9000']);
  t.is(up.code, 0, up.stderr);
  const lab = await findLab(id);
  t.is(lab?.underlayMtu, 9000);
  const config = await etcdctl(lab!, ['get', '--print-value-only', '/coreos.com/network/config']);
  t.deepEqual(JSON.parse(config.stdout), {
    Network: '10.244.0.0/16',
    EnableIPv6: true,
    IPv6Network: 'fd00:244::/48',
    Backend: { Type: 'vxlan', VNI: 1, Port: 4789 },
  });
  const ping = ['exec', '--id', id, 'h1', '--', 'ping', '-c', '1', '-W', '2', '-M', 'do', '-s', '8972', '192.0.2.2'];
  t.like(await weftLab(ping), { code: 0 });
  t.is((await weftLab(['down', '--id', id])).code, 0);
});

test('the map shows pods of hosts and of tenants, and commands that work as they stand', (t) => {
  const lab = layOut(describeLab({ id, hosts: 1, tenants: 1 }));
  const pod = { address: '10.244.1.2', address6: 'fd00:244:0:1::2', mtu: 1430 };
  const pods = [
    { site: lab.hosts[0]!, pod: { ...pod, address6: undefined } },
    { site: lab.tenants[0]!.sites[0]!, pod },
  ];
  const map = formatMap(lab, pods, 'weft');
  t.regex(map, /^ {2}pod1 10\.244\.1\.2 +── h1$/m);
  t.regex(map, /^ {2}t1pod1 10\.244\.1\.2 +fd00:244:0:1::2 ── t1h1$/m);
  t.true(map.includes(`  weft lab exec --id ${id} pod1 -- ping -c 3 10.244.1.2\n`));
  t.true(map.includes(`  weft lab exec --id ${id} h1 -- weft trace 10.244.1.2 --from 10.244.1.2 --network t1\n`));
  t.true(map.includes(`  weft lab down --id ${id}\n`));
  t.true(formatMap(lab, pods, 'bin/weft').includes(`  bin/weft lab down --id ${id}\n`));
});

const MISTAKES: Record<string, { args: string[]; line: RegExp }> = {
  'no lab to run in': { args: ['exec', '--id', id, 'h1', '--', 'true'], line: /^LAB_NOT_FOUND: [^\n]*\n$/ },
  'a number of hosts that is none': { args: ['up', '--id', id, '--hosts', 'many'], line: /^USAGE: [^\n]*\n$/ },
  'a backend that is no JSON': { args: ['up', '--id', id, '--backend-config', '{Type}'], line: /^USAGE: [^\n]*\n$/ },
  'a backend by name and by configuration': {
    args: ['up', '--id', id, '--backend', 'udp', '--backend-config', '{"Type":"udp"}'],
    line: /^error: option '--backend-config <json>' cannot be used with option '--backend <type>'\n$/,
  },
  'tenants with another backend': {
    args: ['up', '--id', id, '--tenants', '2', '--backend', 'udp'],
    line: /^error: option '--tenants <count>' cannot be used with option '--backend <type>'\n$/,
  },
  'too many tenants': { args: ['up', '--id', id, '--tenants', '10'], line: /^USAGE: [^\n]*0 to 9[^\n]*\n$/ },
  'an MTU that is none': { args: ['up', '--id', id, '--mtu', 'jumbo'], line: /^USAGE: [^\n]*\n$/ },
  'a backend that is no object': { args: ['up', '--id', id, '--backend-config', '[]'], line: /^USAGE: [^\n]*\n$/ },
};

for (const [name, { args, line }] of Object.entries(MISTAKES)) {
  test(`${name} is one line and makes nothing`, async (t) => {
    const outcome = await weftLab(args);
    t.is(outcome.code, 1);
    t.regex(outcome.stderr, line);
    t.is(await findLab(id), undefined);
    t.false(existsSync(directoryOf(id)));
  });
}

test('a user who is not root gets one line', async (t) => {
  for (const command of ['up', 'down', 'list']) {
    const outcome = await weftLab([command], 65534);
    t.is(outcome.code, 1);
    t.regex(outcome.stderr, /^NOT_ROOT: Cannot work with a lab: only root may make network namespaces\n$/);
  }
});

test('Ctrl-C while a lab is built ends it without a word, and with nothing left (N13)', async (t) => {
  const { child, outcome, progress } = start(['lab', 'up', '--id', id]);
  child.stderr?.on('data', () => {
    if (progress().includes('starting 2 weftd')) child.kill('SIGINT');
  });
  const { signal, code, stdout, stderr } = await outcome;
  t.deepEqual({ signal, code, stdout }, { signal: 'SIGINT', code: null, stdout: '' });
  t.notRegex(stderr, /SIG|nterrupted|weft:/);
  t.deepEqual(
    listNamespaces().filter((name) => isNamespaceOf(id, name)),
    [],
  );
});

test('a daemon that cannot start says why', async (t) => {
  await withLab({ id, hosts: 1 }, async (lab) => {
    await t.throwsAsync(startDaemon(lab, lab.hosts[0]!, ['--no-such-flag']), {
      code: 'DAEMON_FAILED',
      message: /^Cannot start weftd on .*-h1: it ended with exit code \d+:\n./,
    });
  });
});
