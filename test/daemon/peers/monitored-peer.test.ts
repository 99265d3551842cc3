import test from 'ava';
import type { PeerWay } from '../../../lib/backend/backend.ts';
import { MonitoredPeer } from '../../../lib/daemon/peers/monitored-peer.ts';
import { PROBE_TIMEOUT_MS } from '../../../lib/daemon/peers/peer-health.ts';
import { logTo } from '../../log.ts';

const NO_PINGS = { send: () => undefined, receive: () => [], close: () => {} };

test('a number that a lost probe of a size had, and a small one has again, is the small one’s', (t) => {
  let sequence = 0;
  const sizes: number[] = [];
  const way: PeerWay = {
    address: 0xc0000202,
    device: 'flannel0',
    direct: false,
    limit: () => {},
    probes: {
      probe: (_peer, size) => {
        if (size !== undefined) sizes.push(size);
        return sequence;
      },
      probeAnswers: () => [],
      largestPath: () => 1500,
      limitPath: () => {},
      heardFrom: () => 0,
    },
  };
  const peer = new MonitoredPeer(
    way.address,
    way,
    0,
    NO_PINGS,
    logTo(() => {}),
  );
  peer.probe(0);
  peer.answered(sequence, 1, false, 1);
  sequence = 7;
  peer.searchPath(10);
  t.deepEqual(sizes, [1500], 'and it is lost');
  peer.probe(20_000);
  peer.answered(sequence, 2.5, false, 20_003);
  peer.expire(20_003 + PROBE_TIMEOUT_MS);
  t.is(peer.overlay.unanswered, 0);
  t.is(peer.overlay.rttMs, 2.5);
});
