import test from 'ava';
import { WeftError } from '../../lib/error.ts';
import { type WatchEvent, watchDaemon } from '../../lib/watch/watch.ts';
import { STATS, STATUS } from '../cli/replies.ts';
import { serveReplies } from '../cli/serve-replies.ts';

test('a daemon is looked at again and again; while it does not answer, that is said once, and it is seen when it is back', async (t) => {
  let seconds = 0;
  let startedAt = STATUS.startedAt;
  let isGone = false;
  const stats = (): typeof STATS => {
    if (isGone) throw new WeftError('NOT_READY', 'it is not ready');
    seconds++;
    const at = new Date(1_700_000_000_000 + seconds * 1000).toISOString();
    return { ...STATS, at, outbound: { ...STATS.outbound, forwarded: 1000 * seconds, received: 1000 * seconds } };
  };
  const controlSocket = await serveReplies(t, {
    '/v1/stats': stats,
    '/v1/status': () => ({ ...STATUS, pid: process.pid, startedAt }),
  });
  const ending = new AbortController();
  const options = { controlSocket, network: undefined, intervalMs: 5, slowIntervalMs: 1e9, signal: ending.signal };
  const seen: string[] = [];
  const react = (event: WatchEvent): void => {
    seen.push(event.kind === 'gone' ? `gone ${event.error.message}` : event.kind);
    const ticks = seen.filter((kind) => kind === 'tick').length;
    if (event.kind === 'tick') {
      t.is(event.tick.outbound.packets, 1000);
      t.not(event.tick.cpu, undefined);
    }
    if (event.kind === 'tick' && ticks === 2) isGone = true;
    if (event.kind === 'gone') {
      isGone = false;
      // It comes back as another, whose counters begin anew.
      startedAt = '2026-11-23T00:00:00.000Z';
      seconds = 0;
    }
    if (ticks === 4) ending.abort();
  };
  for await (const event of watchDaemon(options)) react(event);
  t.deepEqual(seen, ['view', 'tick', 'tick', 'gone it is not ready', 'view', 'tick', 'tick']);
});
