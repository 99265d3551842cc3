/** What a daemon knows of its peers by asking them: weftd, and a kernel's VXLAN device as flanneld sets one up. */
import type { ExecutionContext } from 'ava';
import { askDaemon } from '../../lib/control/client.ts';
import type { PeerHealth, StatsReply } from '../../lib/control/protocol.ts';
import { run } from '../../lib/lab/command.ts';
import type { LabHost } from '../../lib/lab/model.ts';
import { until } from '../../lib/lab/until.ts';
import { PATIENCE_MS } from '../patience.ts';
import { withCluster } from './interop/cluster.ts';
import { testInLabs } from './labs.ts';

const { id, test } = testInLabs('pm');
const EVERY_SECOND = ['--peer-probe-interval=1s'];

async function healthOf({ controlSocket }: LabHost): Promise<PeerHealth | null | undefined> {
  return (await askDaemon(controlSocket, '/v1/peers')).peers[0]?.health;
}

function statsOf({ controlSocket }: LabHost): Promise<StatsReply> {
  return askDaemon(controlSocket, '/v1/stats');
}

async function alarmsOf({ controlSocket }: LabHost): Promise<readonly string[]> {
  return (await askDaemon(controlSocket, '/v1/status')).alarms;
}

async function stateOf({ controlSocket }: LabHost): Promise<string> {
  return (await askDaemon(controlSocket, '/v1/status')).state;
}

/** Packets that come to a host are dropped there, until the returned function is called. */
async function dropIncoming({ netns }: LabHost, matches: readonly string[]): Promise<() => Promise<void>> {
  const nft = (input: string) => run('ip', ['netns', 'exec', netns, 'nft', '-f', '-'], { input });
  const rules = matches.map((match) => `${match} counter drop;`).join(' ');
  await nft(`table ip deaf { chain in { type filter hook input priority 0; ${rules} }; }`);
  return async () => {
    await nft('delete table ip deaf');
  };
}

/** Until a host has sent so many more probes; `look` is called all the while. */
async function probesGoOn(t: ExecutionContext, host: LabHost, count: number, look: () => Promise<void>): Promise<void> {
  const before = (await statsOf(host)).probes;
  await eventually(t, `${count} probes are sent`, async () => {
    await look();
    return (await statsOf(host)).probes.sent >= before.sent + count;
  });
}

async function eventually(t: ExecutionContext, what: string, condition: () => Promise<boolean>): Promise<void> {
  t.true(await until(condition, PATIENCE_MS), what);
}

for (const Type of ['udp', 'vxlan', 'ipip'])
  test(`${Type}: a peer's round-trip time and path MTU, and no packet of it counts as traffic`, async (t) => {
    await withCluster(
      { id, ends: ['weft', 'weft'], backend: { Type }, dualStack: false, daemonArgs: EVERY_SECOND },
      async ({ lab }) => {
        const [one, two] = lab.hosts as [LabHost, LabHost];
        for (const host of [one, two])
          await eventually(t, 'the path MTU is known', async () => (await healthOf(host))?.pathMtu === 1500);
        const health = (await healthOf(one))!;
        t.true(health.rttMs! > 0);
        t.like(health, { over: 'overlay', loss: 0, pathMtuDirection: 'outbound', underlayRttMs: null });
        const before = await statsOf(one);
        await eventually(t, 'probes go on, both ways', async () => {
          const { probes } = await statsOf(one);
          return probes.answered >= before.probes.answered + 3 && probes.received >= before.probes.received + 3;
        });
        const after = await statsOf(one);
        t.deepEqual(after.drops, before.drops);
        t.is(after.outbound.forwarded, before.outbound.forwarded);
        t.is(after.inbound.received, before.inbound.received);
        t.deepEqual(after.peers, before.peers);
      },
    );
  });

test("a kernel's VXLAN device answers too, with answers as large as the probes", async (t) => {
  await withCluster(
    { id, ends: ['weft', 'kernel'], backend: { Type: 'vxlan' }, dualStack: false, daemonArgs: EVERY_SECOND },
    async ({ lab }) => {
      const [one] = lab.hosts as [LabHost];
      await eventually(t, 'the path MTU is known', async () => (await healthOf(one))?.pathMtu === 1500);
      t.like(await healthOf(one), { over: 'overlay', pathMtuDirection: 'either' });
    },
  );
});

test('host-gw: peers are pinged on the underlay', async (t) => {
  await withCluster(
    { id, ends: ['weft', 'weft'], backend: { Type: 'host-gw' }, dualStack: false, daemonArgs: EVERY_SECOND },
    async ({ lab }) => {
      const [one] = lab.hosts as [LabHost];
      await eventually(t, 'there is a round-trip time', async () => ((await healthOf(one))?.rttMs ?? 0) > 0);
      t.like(await healthOf(one), { over: 'underlay', pathMtu: null, pathMtuDirection: null });
    },
  );
});

test('a firewall that drops tunnel packets is an alarm on both sides, each of what it sees, and the network stays ready', async (t) => {
  await withCluster(
    { id, ends: ['weft', 'weft'], backend: { Type: 'udp' }, dualStack: false, daemonArgs: EVERY_SECOND },
    async ({ lab }) => {
      const [one, two] = lab.hosts as [LabHost, LabHost];
      for (const host of [one, two])
        await eventually(t, 'it answers', async () => ((await healthOf(host))?.rttMs ?? 0) > 0);
      t.deepEqual(await alarmsOf(one), []);
      const open = await dropIncoming(two, ['udp dport 8285']);
      // The other's probes come, ours go nowhere.
      await eventually(t, 'one direction', async () =>
        (await alarmsOf(one)).some((alarm) => / is reached in one direction: .* UDP 8285 /.test(alarm)),
      );
      // Nothing comes.
      await eventually(t, 'no answer', async () =>
        (await alarmsOf(two)).some((alarm) => / does not answer through the tunnel, .* UDP 8285 /.test(alarm)),
      );
      t.deepEqual([await stateOf(one), await stateOf(two)], ['ready', 'ready']);
      t.true((await healthOf(one))!.loss! > 0);
      await eventually(t, 'the underlay answers', async () => ((await healthOf(one))?.underlayRttMs ?? 0) > 0);
      await open();
      for (const host of [one, two])
        await eventually(t, 'the alarm is over', async () => (await alarmsOf(host)).length === 0);
    },
  );
});

test('a peer that answers neither through the tunnel nor pings, and one that answers no pings alone, are no alarm', async (t) => {
  await withCluster(
    { id, ends: ['weft', 'weft'], backend: { Type: 'udp' }, dualStack: false, daemonArgs: EVERY_SECOND },
    async ({ lab }) => {
      const [one, two] = lab.hosts as [LabHost, LabHost];
      await eventually(t, 'it answers', async () => ((await healthOf(one))?.rttMs ?? 0) > 0);
      const seen: (readonly string[])[] = [];
      const look = async (): Promise<void> => {
        seen.push(await alarmsOf(one));
      };
      for (const matches of [['icmp type echo-request'], ['udp dport 8285', 'icmp type echo-request']]) {
        const open = await dropIncoming(two, matches);
        await probesGoOn(t, one, 8, look);
        await open();
      }
      t.deepEqual(
        seen.filter((alarms) => alarms.length > 0),
        [],
      );
      t.true((await healthOf(one))!.loss! > 0);
      t.is(await stateOf(one), 'ready');
    },
  );
});

test('off: nobody is asked', async (t) => {
  await withCluster(
    {
      id,
      ends: ['weft', 'weft'],
      backend: { Type: 'udp' },
      dualStack: false,
      daemonArgs: ['--peer-probe-interval=off'],
    },
    async ({ lab }) => {
      const [one] = lab.hosts as [LabHost];
      t.is(await healthOf(one), null);
      t.deepEqual((await statsOf(one)).probes, { sent: 0, answered: 0, received: 0 });
    },
  );
});
