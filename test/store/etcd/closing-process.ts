/**
 * A process of its own that uses a store, closes it, and then has nothing left to do: it must end by itself.
 * Arguments: the endpoint, and "use" (acquire and follow first) or "wait" (close while nobody answers).
 */
import { parseNetworkConfig } from '../../../lib/lease/network-config.ts';
import { EtcdLeaseStore } from '../../../lib/store/etcd/store.ts';
import { attrs, Following, LogRecorder } from './harness.ts';

/** The store's own time limits: longer than the test waits, so that a timer which is left shows however fast the machine is. */
const LONG_MS = 3_600_000;

const [endpoint = '', mode] = process.argv.slice(2);
const log = new LogRecorder();
const store = new EtcdLeaseStore({
  endpoints: endpoint,
  log,
  random: Math.random,
  now: Date.now,
  uptime: () => performance.now(),
  heartbeatMs: LONG_MS,
  dialTimeoutMs: LONG_MS,
  callTimeoutMs: LONG_MS,
});
const config = parseNetworkConfig('{"Network":"10.5.0.0/16"}');
const acquiring = store.acquire({ config, attrs: attrs('192.0.2.1'), previous: undefined });
// Closing ends it with an error, which is none here.
acquiring.catch(() => {});
const watch = store.watch(new Following());
if (mode === 'use') {
  await Promise.all([acquiring, watch.ready]);
} else {
  // Both are under way, and will not come to an end by themselves for a while.
  await new Promise((resolve) => setImmediate(resolve));
}
await store.close();
console.log('closed');
