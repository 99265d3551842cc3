import test from 'ava';
import type { Peer } from '../../lib/control/protocol.ts';
import { BUSIEST, HISTORY, type PageTick, PEER_HISTORY } from '../../lib/ui/messages.ts';
import { peerTimes, TickHistory } from '../../lib/ui/page-tick.ts';
import { PEERS } from '../cli/replies.ts';

function peer(rttMs: number | null, loss: number | null): Peer {
  const health = {
    over: 'overlay' as const,
    rttMs,
    loss,
    probes: 1,
    lastSeen: null,
    pathMtu: null,
    pathMtuDirection: null,
    underlayRttMs: null,
  };
  return { ...PEERS.peers[0]!, health };
}

test('round trips and loss of all peers together; of nobody who was asked, nothing', (t) => {
  t.deepEqual(peerTimes([]), { rtt: null, loss: null });
  t.deepEqual(peerTimes(PEERS.peers), { rtt: null, loss: null });
  t.deepEqual(peerTimes([peer(1, 0), peer(3, 0.5), peer(null, 1), ...PEERS.peers]), {
    rtt: { median: 1, p90: 3, max: 3, peers: 2 },
    loss: 0.5,
  });
});

function tick(peers: number, number: number): PageTick {
  return {
    at: `${number}`,
    seconds: 1,
    outbound: { packets: 1, bytes: 1, packetsPerRead: null, packetsPerWrite: null },
    inbound: { packets: 1, bytes: 1, packetsPerRead: null, packetsPerWrite: null },
    drops: {},
    socketOverflow: 0,
    peers: Array.from({ length: peers }, (_, i) => ({
      publicIp: `${i}`,
      outboundPackets: 1,
      outboundBytes: i,
      inboundPackets: 1,
      inboundBytes: 0,
    })),
    cpu: null,
    stages: null,
    rtt: null,
    loss: null,
    total: undefined,
  };
}

test('the history is bounded: the latest ticks, in the last of them the busiest peers', (t) => {
  const history = new TickHistory();
  for (let i = 0; i < HISTORY + 50; i++) history.add(tick(100, i));
  t.is(history.ticks.length, HISTORY);
  t.is(history.ticks[0]!.at, '50');
  t.is(history.ticks.filter(({ peers }) => peers.length > 0).length, PEER_HISTORY);
  const last = history.ticks.at(-1)!;
  t.deepEqual([last.peers.length, last.peers[0]!.publicIp, 'total' in last, last.stages], [BUSIEST, '99', false, null]);
  t.true(JSON.stringify(history.ticks).length < 1_000_000);
});
