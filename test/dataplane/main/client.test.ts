/** The main thread's handle and a worker thread without sockets and devices. No root needed. */
import { closeSync, openSync } from 'node:fs';
import test from 'ava';
import { parseIpv4 } from '../../../lib/addr/ipv4.ts';
import { formatMac } from '../../../lib/addr/mac.ts';
import { parsePrefix } from '../../../lib/addr/prefix.ts';
import { WorkerDataplane } from '../../../lib/dataplane/main/client.ts';
import type { Segment, SegmentOptions, SegmentPeer } from '../../../lib/dataplane/segment.ts';
import { socketAddress } from '../../../lib/sys/socket-address.ts';

async function withDataplane(run: (dataplane: WorkerDataplane) => Promise<void>): Promise<void> {
  const dataplane = await WorkerDataplane.start({
    encapsulation: 'vxlan',
    receive: [],
    send: [],
    maxTrain: 64,
    batching: true,
    sourceCheck: true,
    tos: { mode: 'fixed', dscp: 0 },
    onOffloadRefused: () => undefined,
    onPriorityRefused: () => undefined,
    onEnded: () => undefined,
  });
  try {
    await run(dataplane);
  } finally {
    await dataplane.stop();
  }
}

function network(vni: number, onDeviceLost: SegmentOptions['onDeviceLost'] = () => undefined): SegmentOptions {
  return {
    own: { ipv4: undefined, ipv6: undefined },
    tunnel4: undefined,
    tunnel6: undefined,
    ethernet: { vni, family: 4, mac: 0x02_00_00_00_00_01, learning: true },
    onDeviceLost,
  };
}

function peer(n: number): SegmentPeer {
  const address = parseIpv4(`192.0.2.${n}`)!;
  return {
    address,
    socketAddress: socketAddress(address, 4789),
    prefixes: [parsePrefix(`10.244.${n}.0/24`)!],
    vtep: { mac: n, tunnel4: parseIpv4(`10.244.${n}.0`)!, tunnel6: undefined },
  };
}

const macs = (segment: Segment): string[] => segment.fdb().map(({ mac }) => mac);

test('neighbours asked for at one time are told to all who asked', async (t) => {
  await withDataplane(async (dataplane) => {
    const segments = [1, 2, 3].map((vni) => dataplane.addSegment(network(vni)));
    await Promise.all(segments.map((segment, i) => segment.setPeers([peer(i + 2)])));
    // Many, so that the thread finds several at once.
    const asked = Array.from({ length: 300 }, (_, i) => segments[i % 3]!);
    const told = await Promise.all(asked.map((segment) => segment.neighbors()));
    t.deepEqual(
      told.map((entries) => entries.map(({ address }) => address)),
      asked.map((_, i) => [`10.244.${(i % 3) + 2}.0`]),
    );
  });
});

test('peers that are set while a network ends are not those of the next with its number', async (t) => {
  await withDataplane(async (dataplane) => {
    const first = dataplane.addSegment(network(1));
    await first.setPeers([peer(2)]);
    const detached = first.detach();
    t.deepEqual(await first.setPeers([peer(3)]), []);
    await detached;
    const second = dataplane.addSegment(network(2));
    t.deepEqual(macs(second), []);
    await second.setPeers([peer(4)]);
    t.deepEqual(await first.setPeers([peer(5)]), []);
    t.deepEqual(macs(second), [formatMac(4)]);
  });
});

test('a device that is given to a network that has ended is not the next one’s', async (t) => {
  const fd = openSync('/dev/null', 'r+');
  try {
    await withDataplane(async (dataplane) => {
      const first = dataplane.addSegment(network(1));
      await first.detach();
      const lost: string[] = [];
      const second = dataplane.addSegment(network(2, (reason) => lost.push(reason)));
      // Readable at all times: a thread that polls it reads from it.
      first.setDevice({ fd, vnetHeader: false, mtu: 1450, tunGro: false, tunUso: false });
      await second.setPeers([peer(4)]);
      await second.neighbors();
      t.is(second.stats().outbound.reads, 0);
      t.deepEqual(lost, []);
    });
  } finally {
    closeSync(fd);
  }
});
