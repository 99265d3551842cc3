/**
 * The pod program of the Vagrantfile on two nodes:
 *
 *   [ namespace pod ] ── cni0 [ node 1 ] u0 ─┬─ u0 [ node 2 ] cni0 ── [ namespace pod ]
 *                                          etcd
 */
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { putConfig, startEtcd } from '../../lib/lab/etcd.ts';
import type { Lab } from '../../lib/lab/model.ts';
import { withLab } from '../../lib/lab/with-lab.ts';
import { podScript } from '../vagrantfile.ts';
import { testInLabs } from './labs.ts';
import { Machine, type Shell } from './machine.ts';

const { id, test } = testInLabs('p');

/** Each node with a terminal for weftd and one to type in. */
interface Node {
  readonly daemon: Shell;
  readonly terminal: Shell;
}

async function bootNodes(t: ExecutionContext, lab: Lab): Promise<[Node, Node]> {
  const programs = join(lab.directory, 'programs');
  mkdirSync(programs);
  for (const name of ['weft', 'weftd']) symlinkSync(join(process.cwd(), 'bin', name), join(programs, name));
  writeFileSync(join(programs, 'weft-pod'), podScript());
  chmodSync(join(programs, 'weft-pod'), 0o755);
  const nodes = lab.hosts.map(({ netns }) => new Machine(t, netns, programs));
  const booted = nodes.map(async (node) => ({ daemon: await node.shell(), terminal: await node.shell() }));
  return (await Promise.all(booted)) as [Node, Node];
}

async function startWeftd({ daemon }: Node, lab: Lab): Promise<void> {
  daemon.start(`weftd --etcd-endpoints=${lab.etcdEndpoint} --iface=u0`);
  await daemon.shows(/Ready/);
}

test('weft-pod says what is missing, in a sentence and with exit code 1, then pings (N3)', async (t) => {
  await withLab({ id, hosts: 2 }, async (lab) => {
    await startEtcd(lab);
    await putConfig(lab, '{"Network":"10.244.0.0/16","Backend":{"Type":"udp"}}');
    const [one, two] = await bootNodes(t, lab);
    const refusal = async (command: string, sentence: RegExp): Promise<void> => {
      const { code, text } = await one.terminal.type(command);
      t.is(code, 1, text);
      t.regex(text.trimEnd().split('\n').at(-1) ?? '', sentence);
      t.notRegex(text, /^ +at /m, 'no stack trace');
    };
    await refusal('weft-pod up', /^weft-pod: weftd has not written \/run\/flannel\/subnet\.env yet/);
    await refusal('weft-pod ping', /^weft-pod: there is no pod on this node/);
    await startWeftd(one, lab);
    t.like(await one.terminal.type('weft-pod up'), { code: 0, text: '' });
    await refusal('weft-pod ping', /^weft-pod: no other node has a subnet yet/);
    await startWeftd(two, lab);
    await one.terminal.type('until weft routes --json | grep -q prefix; do sleep 0.1; done');
    await refusal('weft-pod ping', /^weft-pod: no answer from 10\.244\.\d+\.2: is a pod there/);
    t.like(await two.terminal.type('weft-pod up'), { code: 0, text: '' });
    const { code, text } = await one.terminal.type('weft-pod ping');
    t.is(code, 0, text);
    t.regex(text, /3 received/);
    await one.daemon.end();
    await refusal('weft-pod ping', /weft status|weftd|control socket/);
  });
});

test('weft-pod restarts with a process in the pod, which has its network again (N3)', async (t) => {
  await withLab({ id, hosts: 1 }, async (lab) => {
    await startEtcd(lab);
    await putConfig(lab, '{"Network":"10.244.0.0/16","Backend":{"Type":"udp"}}');
    const [node] = await bootNodes(t, lab);
    await startWeftd(node, lab);
    const type = async (line: string, expected = 0): Promise<string> => {
      const { code, text } = await node.terminal.type(line);
      t.is(code, expected, `${line}: ${text}`);
      return text;
    };
    await type('weft-pod up');
    await type('ip netns exec pod sleep 1000 & process=$!');
    await type('until ip netns pids pod | grep -q .; do sleep 0.1; done');
    t.regex(await type('weft-pod down'), /^weft-pod: namespace pod stays, these processes are in it: \d+\n$/);
    await type('weft-pod up');
    await type('gateway=$(weft-pod address | sed s/[.]2$/.1/)');
    const ping = 'nsenter --target $process --net ping -c 1 -W 5 $gateway';
    await type(ping);
    // A namespace that has lost its name, as weft-pod left it before.
    await type('ip netns del pod');
    await type('weft-pod up');
    await type('kill $process; wait $process', 143);
    await type('weft-pod down');
    t.is(await type('ip -br link show type bridge; ip netns'), '');
  });
});
