/**
 * "Two machines of your own" of docs/operations.md, typed line by line on two hosts of a lab that forward nothing, as a host
 * with Docker is (FORWARD DROP):
 *
 *   [ namespace pod ] ── cni0 [ node1 ] u0 192.0.2.1 ─┬─ 192.0.2.2 u0 [ node2 ] cni0 ── [ namespace pod ]
 */
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { Lab } from '../../lib/lab/model.ts';
import { execInNetns } from '../../lib/lab/netns.ts';
import { withLab } from '../../lib/lab/with-lab.ts';
import { testInLabs } from './labs.ts';
import { Machine, type Shell } from './machine.ts';

const { id, test } = testInLabs('w');

type NodeName = 'node1' | 'node2';

interface Block {
  readonly nodes: readonly NodeName[];
  /** What the first line says after the place. */
  readonly condition: string;
  readonly lines: readonly string[];
}

const OWN_TERMINAL = 'in a terminal of its own';
/** They need a network, a registry or Docker. */
const NOT_TYPED = /git clone|systemctl restart docker/;
/** What is waited for in terminals of their own, by the first word after sudo. The document says the same. */
const STARTED: Readonly<Record<string, RegExp>> = { etcd: /ready to serve client requests/, weftd: /Ready/ };

function blocksOfDocument(): Block[] {
  const text = readFileSync('docs/operations.md', 'utf8');
  const from = text.indexOf('\n## Two machines of your own\n');
  const section = text.slice(from, text.indexOf('\n## ', from + 1));
  return [...section.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block]) => {
    const [head = '', ...lines] = block!.trimEnd().split('\n');
    const [, place, condition = ''] = /^# on (node1|node2|both)(?:, (.*))?$/.exec(head) ?? [];
    if (place === undefined) throw new Error(`a block does not say where it is typed: ${head}`);
    const nodes: NodeName[] = place === 'both' ? ['node1', 'node2'] : [place as NodeName];
    return { nodes, condition, lines };
  });
}

/** weft and weftd as the document links them, and a sudo for a user who is root already. */
function installPrograms(lab: Lab): string {
  const programs = join(lab.directory, 'programs');
  mkdirSync(programs);
  for (const name of ['weft', 'weftd']) symlinkSync(join(process.cwd(), 'bin', name), join(programs, name));
  writeFileSync(join(programs, 'sudo'), '#!/bin/sh\n[ "$1" != -s ] || exec bash --norc\nexec "$@"\n');
  chmodSync(join(programs, 'sudo'), 0o755);
  return programs;
}

/** Types the document; the shells of node1 and node2 keep what they were told. Returns what each line printed. */
async function typeDocument(machines: Readonly<Record<NodeName, Machine>>, t: ExecutionContext): Promise<string[]> {
  const terminals = { node1: await machines.node1.shell(), node2: await machines.node2.shell() };
  const background: Shell[] = [];
  const printed: string[] = [];
  for (const { nodes, condition, lines } of blocksOfDocument()) {
    if (NOT_TYPED.test(lines.join('\n'))) continue;
    if (condition === 'to end') for (const shell of background.splice(0).toReversed()) await shell.end();
    for (const line of lines)
      for (const node of nodes) {
        if (condition === OWN_TERMINAL) {
          const shell = await machines[node].shell();
          background.push(shell);
          shell.start(line);
          await shell.shows(STARTED[line.split(' ')[1] ?? ''] ?? /$^/, line);
        } else {
          const { code, text } = await terminals[node].type(line);
          t.is(code, 0, `${node}$ ${line}\n${text}`);
          printed.push(`${node}$ ${line}\n${text}`);
        }
      }
    if (lines.some((line) => line.includes(' weftd ')) && background.length === 3) {
      // Both are ready: within a moment each knows the other.
      for (const shell of Object.values(terminals))
        await shell.type('until weft routes --json | grep -q prefix; do sleep 0.1; done');
    }
  }
  return printed;
}

test('two machines of your own, typed as docs/operations.md has it, give a ping from pod to pod (N7)', async (t) => {
  await withLab({ id, hosts: 2 }, async (lab) => {
    const programs = installPrograms(lab);
    const [one, two] = lab.hosts;
    const machines = { node1: new Machine(t, one!.netns, programs), node2: new Machine(t, two!.netns, programs) };
    // A host as Debian makes it, then with Docker.
    for (const { netns } of lab.hosts) {
      await execInNetns(netns, ['sysctl', '-w', 'net.ipv4.ip_forward=0']);
      await execInNetns(netns, ['iptables', '-P', 'FORWARD', 'DROP']);
    }
    const printed = await typeDocument(machines, t);
    const shown = (line: RegExp) => printed.filter((text) => line.test(text)).join('\n');
    t.regex(shown(/iptables -S FORWARD/), /-P FORWARD DROP[\s\S]*-P FORWARD DROP/);
    t.regex(shown(/ping -c 3/), /3 received/);
    for (const { netns } of lab.hosts)
      t.notRegex((await execInNetns(netns, ['ip', '-br', 'link', 'show'])).stdout, /cni0|pod0|flannel/);
  });
});
