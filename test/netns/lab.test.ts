import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { mkdir, symlink, unlink } from 'node:fs/promises';
import type { ExecutionContext } from 'ava';
import { ipBatch, run } from '../../lib/lab/command.ts';
import { etcdctl, putConfig, startEtcd } from '../../lib/lab/etcd.ts';
import { addKernelVxlan, kernelVxlanPodAddress } from '../../lib/lab/kernel-vxlan.ts';
import { createLab, findLab } from '../../lib/lab/lab.ts';
import { directoryOf, isNamespaceOf } from '../../lib/lab/layout.ts';
import type { Lab, LabHost } from '../../lib/lab/model.ts';
import { execInNetns, listNamespaces, processesIn, spawnInNetns } from '../../lib/lab/netns.ts';
import { setNicLike } from '../../lib/lab/nic-like.ts';
import { connectPod } from '../../lib/lab/pod.ts';
import { destroyLab, listLabIds } from '../../lib/lab/remove.ts';
import { until } from '../../lib/lab/until.ts';
import { withLab } from '../../lib/lab/with-lab.ts';
import { PATIENCE_MS } from '../patience.ts';
import { testInLabs } from './labs.ts';

// Whole labs: the topology is drawn in lib/lab/lab.ts. One after the other, each under this process's own id.
const { id, test } = testInLabs('t');

function assertNothingLeft(t: ExecutionContext): void {
  t.deepEqual(
    listNamespaces().filter((name) => isNamespaceOf(id, name)),
    [],
  );
  t.false(existsSync(directoryOf(id)));
  t.false(listLabIds().includes(id));
}

async function ping(netns: string, address: string): Promise<void> {
  await execInNetns(netns, ['ping', '-n', '-c', '1', '-W', '2', address]);
}

async function linkNames(): Promise<string> {
  return run('ip', ['-br', 'link', 'show']);
}

for (const hosts of [1, 2, 5]) {
  test(`${hosts} hosts reach one another and etcd's address by both families, and nothing is left of them`, async (t) => {
    const linksBefore = await linkNames();
    await withLab({ id, hosts }, async (lab) => {
      t.is(lab.hosts.length, hosts);
      for (const from of lab.hosts) {
        await ping(from.netns, '192.0.2.254');
        for (const to of lab.hosts) {
          await ping(from.netns, to.underlayAddress);
          await ping(from.netns, to.underlayAddress6);
        }
      }
      t.is(await linkNames(), linksBefore, 'no link shows up outside of the namespaces');
    });
    assertNothingLeft(t);
    t.is(await linkNames(), linksBefore);
  });
}

test('two hosts joined directly reach one another', async (t) => {
  await withLab({ id, hosts: 2, direct: true, underlayMtu: 1450 }, async (lab) => {
    await ping(lab.hosts[0]!.netns, '192.0.2.2');
    const links = await execInNetns(lab.hosts[1]!.netns, ['ip', '-o', 'link', 'show', 'u0']);
    t.regex(links.stdout, /mtu 1450 /);
  });
  assertNothingLeft(t);
});

test('hosts forward both families, pods do not', async (t) => {
  await withLab({ id, hosts: 1 }, async ({ hosts: [host] }) => {
    const paths = ['/proc/sys/net/ipv4/ip_forward', '/proc/sys/net/ipv6/conf/all/forwarding'];
    t.is((await execInNetns(host!.netns, ['cat', ...paths])).stdout, '1\n1\n');
    t.is((await execInNetns(host!.podNetns, ['cat', paths[1]!])).stdout, '0\n');
  });
});

test('another process finds a lab by its id', async (t) => {
  t.is(await findLab(id), undefined);
  const lab = await createLab({ id, hosts: 2, underlayMtu: 9000 });
  t.deepEqual(await findLab(id), lab);
  t.true(listLabIds().includes(id));
  await destroyLab(id);
  t.is(await findLab(id), undefined);
  assertNothingLeft(t);
});

test('a second lab with the same id is refused and does not disturb the first', async (t) => {
  await withLab({ id, hosts: 2 }, async (lab) => {
    const error = await t.throwsAsync(createLab({ id, hosts: 1 }), { code: 'LAB_EXISTS' });
    t.like(error, { hint: `Remove it with: weft lab down --id ${id}` });
    await t.throwsAsync(
      withLab({ id, hosts: 1 }, () => Promise.resolve()),
      { code: 'LAB_EXISTS' },
    );
    await ping(lab.hosts[0]!.netns, '192.0.2.2');
  });
  assertNothingLeft(t);
});

test('what is left of a half built lab is no lab, but can be removed', async (t) => {
  await ipBatch(undefined, [`netns add ${id}-h1`, `netns add ${id}-pod1`]);
  await mkdir(directoryOf(id));
  writeFileSync(`${directoryOf(id)}/lab.json`, JSON.stringify({ id, hosts: 2 }));
  t.is(await findLab(id), undefined);
  await t.throwsAsync(createLab({ id, hosts: 1 }), { code: 'LAB_EXISTS' });
  await destroyLab(id);
  assertNothingLeft(t);
  await destroyLab(id);
});

test('a lab that cannot be built leaves nothing', async (t) => {
  const abort = new AbortController();
  const building = createLab({ id, hosts: 20, signal: abort.signal });
  abort.abort(new Error('enough'));
  await t.throwsAsync(building, { message: 'enough' });
  assertNothingLeft(t);
});

test('an error in the body removes the lab and is passed on', async (t) => {
  await t.throwsAsync(
    withLab({ id, hosts: 1 }, () => Promise.reject(new Error('mine'))),
    { message: 'mine' },
  );
  assertNothingLeft(t);
});

test("somebody else's file in place of the directory is not followed", async (t) => {
  await symlink('/etc', directoryOf(id));
  await t.throwsAsync(createLab({ id, hosts: 1 }), { code: 'LAB_EXISTS' });
  await t.throwsAsync(destroyLab(id), { code: 'LAB_DIRECTORY_FOREIGN' });
  await unlink(directoryOf(id));
  t.true(existsSync('/etc/passwd'));
});

test('programs in a namespace: output, exit codes, time limit, end', async (t) => {
  await withLab({ id, hosts: 1 }, async ({ hosts: [host] }) => {
    const { netns } = host!;
    const both = await execInNetns(netns, ['sh', '-c', 'echo out; echo err >&2; exit 3'], { allowFailure: true });
    t.deepEqual(both, { code: 3, signal: undefined, stdout: 'out\n', stderr: 'err\n' });
    await t.throwsAsync(execInNetns(netns, ['sh', '-c', 'echo why >&2; exit 3']), {
      code: 'LAB_COMMAND_FAILED',
      message: /: why$/,
    });
    await t.throwsAsync(execInNetns(netns, ['no-such-program']), { code: 'TOOL_MISSING' });
    await t.throwsAsync(execInNetns(netns, ['sleep', '60'], { timeoutMs: 50 }), { message: /no end within 50 ms/ });
    const sleep = spawnInNetns(netns, ['sleep', '60']);
    // ip(8) enters the namespace a moment after it was started.
    t.true(await until(() => processesIn([netns]).includes(sleep.pid), PATIENCE_MS));
    t.deepEqual(await sleep.stop(), { code: undefined, signal: 'SIGTERM' });
    t.false(sleep.running());
    const stubborn = spawnInNetns(netns, ['sh', '-c', "trap '' TERM; echo on; while :; do sleep 0.05; done"]);
    await new Promise<void>((resolve) => stubborn.child.stdout?.once('data', () => resolve()));
    t.deepEqual(await stubborn.stop('SIGTERM', 50), { code: undefined, signal: 'SIGKILL' });
  });
});

test('a process that only looks into a namespace of the lab does not end with it', async (t) => {
  const netnsModule = new URL('../../lib/sys/netns.js', import.meta.url).href;
  const lab = await createLab({ id, hosts: 1 });
  const { netns } = lab.hosts[0]!;
  const script = `
    import { writeSync } from 'node:fs';
    const { withinNetns } = await import('${netnsModule}');
    withinNetns('/run/netns/${netns}', () => {
      writeSync(1, 'in');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    });`;
  const visitor = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => visitor.kill('SIGKILL'));
  await once(visitor.stdout, 'data');
  t.is(readlinkSync(`/proc/${visitor.pid}/ns/net`), `net:[${statSync(`/run/netns/${netns}`).ino}]`);
  t.deepEqual(processesIn([netns]), []);
  await destroyLab(id);
  assertNothingLeft(t);
  t.is(visitor.exitCode ?? visitor.signalCode, null);
});

test('etcd starts, keeps its data over a restart, and ends with the lab', async (t) => {
  await withLab({ id, hosts: 2 }, async (lab) => {
    const first = await startEtcd(lab);
    await putConfig(lab, '{"Network":"10.5.0.0/16"}');
    await first.stop();
    const second = await startEtcd(lab);
    const got = await etcdctl(lab, ['get', '--print-value-only', '/coreos.com/network/config']);
    t.is(got.stdout, '{"Network":"10.5.0.0/16"}\n');
    t.true(second.running());
    t.deepEqual(processesIn([lab.etcdNetns]), [second.pid]);
    const health = ['etcdctl', `--endpoints=${lab.etcdEndpoint}`, 'endpoint', 'health'];
    await execInNetns(lab.hosts[1]!.netns, ['env', 'ETCDCTL_API=3', ...health]);
  });
  assertNothingLeft(t);
});

test('etcd that cannot start says why', async (t) => {
  await withLab({ id, hosts: 1 }, async (lab) => {
    await t.throwsAsync(startEtcd(lab, { extraArgs: ['--no-such-flag'] }), {
      code: 'ETCD_FAILED',
      message: /^Cannot start etcd: it ended with exit code \d+/,
    });
  });
});

function writeSubnetFile(host: LabHost, lines: string[]): void {
  writeFileSync(host.subnetFile, `${lines.join('\n')}\n`);
}

/** Plain routes in place of an overlay: host n has 10.244.n.0/24 and fd00:n::/64. */
async function routeByHand(lab: Lab): Promise<void> {
  for (const host of lab.hosts) {
    const { number } = host;
    writeSubnetFile(host, [
      'FLANNEL_NETWORK=10.244.0.0/16',
      `FLANNEL_SUBNET=10.244.${number}.1/24`,
      'FLANNEL_IPV6_NETWORK=fd00::/16',
      `FLANNEL_IPV6_SUBNET=fd00:${number}::1/64`,
      'FLANNEL_MTU=1472',
      'FLANNEL_IPMASQ=false',
    ]);
    await ipBatch(
      host.netns,
      lab.hosts
        .filter((peer) => peer.number !== number)
        .flatMap((peer) => [
          `route add 10.244.${peer.number}.0/24 via ${peer.underlayAddress}`,
          `route add fd00:${peer.number}::/64 via ${peer.underlayAddress6}`,
        ]),
    );
  }
}

test('pods are connected as subnet.env says, with its MTU, and again when it changes', async (t) => {
  await withLab({ id, hosts: 2 }, async (lab) => {
    await routeByHand(lab);
    const [first, second] = lab.hosts;
    t.deepEqual(await connectPod(first!), { address: '10.244.1.2', address6: 'fd00:1::2', mtu: 1472 });
    await connectPod(second!);
    await ping(first!.podNetns, '10.244.2.2');
    await ping(first!.podNetns, 'fd00:2::2');
    await ping(second!.podNetns, '10.244.1.2');
    const bridge = await execInNetns(first!.netns, ['ip', '-br', 'addr', 'show', 'cni0']);
    t.regex(bridge.stdout, /10\.244\.1\.1\/24/);
    for (const [netns, device] of [
      [first!.netns, 'cni0'],
      [first!.netns, 'pod0'],
      [first!.podNetns, 'eth0'],
    ] as const)
      t.regex((await execInNetns(netns, ['ip', '-o', 'link', 'show', device])).stdout, /mtu 1472 /, device);

    writeSubnetFile(first!, ['FLANNEL_SUBNET=10.244.7.1/28', 'FLANNEL_MTU=1400']);
    t.deepEqual(await connectPod(first!), { address: '10.244.7.2', address6: undefined, mtu: 1400 });
    const addresses = await execInNetns(first!.podNetns, ['ip', '-br', '-4', 'addr', 'show', 'eth0']);
    t.regex(addresses.stdout, / 10\.244\.7\.2\/28 *\n$/);
  });
});

test('a subnet.env without room for a pod is refused', async (t) => {
  await withLab({ id, hosts: 1 }, async (lab) => {
    const [host] = lab.hosts;
    for (const lines of [[], ['FLANNEL_SUBNET=10.1.1.1/31', 'FLANNEL_MTU=1472'], ['FLANNEL_SUBNET=10.1.1.1/24']]) {
      writeSubnetFile(host!, lines);
      await t.throwsAsync(connectPod(host!), { code: 'SUBNET_FILE_UNUSABLE' }, lines.join());
    }
  });
});

for (const direct of [true, false]) {
  test(`pods reach one another by the kernel's VXLAN, ${direct ? 'hosts joined directly' : 'over the bridge'}`, async (t) => {
    await withLab({ id, hosts: direct ? 2 : 3, direct }, async (lab) => {
      await addKernelVxlan(lab);
      for (const from of lab.hosts) for (const to of lab.hosts) await ping(from.podNetns, kernelVxlanPodAddress(to));
      const statistics = await execInNetns(lab.hosts[0]!.netns, ['ip', '-s', '-o', 'link', 'show', 'vxlan0']);
      t.regex(statistics.stdout, /mtu 1450 /);
      // Full packets fit: the pod's MTU leaves room for the outer headers.
      await execInNetns(lab.hosts[0]!.podNetns, ['ping', '-c', '1', '-W', '2', '-M', 'do', '-s', '1422', '10.250.2.2']);
    });
    assertNothingLeft(t);
  });
}

async function offloads(netns: string, device: string): Promise<Record<string, boolean>> {
  const { stdout } = await execInNetns(netns, ['ethtool', '-k', device]);
  const wanted =
    /^\s*(tcp-segmentation-offload|tx-udp-segmentation|tx-udp_tnl-segmentation|generic-receive-offload): (on|off)/gm;
  return Object.fromEntries([...stdout.matchAll(wanted)].map(([, name, state]) => [name, state === 'on']));
}

for (const direct of [true, false]) {
  test(`the underlay can be made like a NIC and back, ${direct ? 'one veth' : 'with bridge'}`, async (t) => {
    await withLab({ id, hosts: 2, direct }, async (lab) => {
      const ends = lab.hosts.map((host): [string, string] => [host.netns, 'u0']);
      if (!direct) ends.push([`${id}-net`, 'h1'], [`${id}-net`, 'h2']);
      const before = await Promise.all(ends.map((end) => offloads(...end)));
      await setNicLike(lab, true);
      for (const end of ends)
        t.deepEqual(await offloads(...end), {
          'tcp-segmentation-offload': false,
          'tx-udp-segmentation': false,
          'tx-udp_tnl-segmentation': false,
          'generic-receive-offload': true,
        });
      await setNicLike(lab, false);
      t.deepEqual(await Promise.all(ends.map((end) => offloads(...end))), before);
    });
  });
}

test('leaves no file descriptors behind', async (t) => {
  const count = (): number => readdirSync('/proc/self/fd').length;
  const before = count();
  for (let round = 0; round < 3; round++) {
    await withLab({ id, hosts: 1 }, async ({ hosts: [host] }) => void (await execInNetns(host!.netns, ['true'])));
  }
  t.true(count() <= before + 1, `${count()} after ${before}`);
});
