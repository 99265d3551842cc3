import test, { type ExecutionContext } from 'ava';
import { watchKernelTunnels } from '../../lib/backend/kernel-tunnels.ts';
import { Faults } from '../../lib/faults.ts';
import { logTo } from '../log.ts';
import { PATIENCE_MS } from '../patience.ts';

async function until(t: ExecutionContext, condition: () => boolean): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!condition()) {
    if (performance.now() > deadline) return t.fail('never happened');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test("a tunnel module of the kernel's is an alarm with symptom and cure, from the start or later, while it is there (H8)", async (t) => {
  const faults = new Faults({
    log: logTo(() => undefined),
    onChange: () => undefined,
    now: () => performance.now(),
  });
  let found = ['sit'];
  const stop = watchKernelTunnels({ faults, find: () => found, everyMs: 5 });
  t.is(faults.alarms.length, 1);
  const [alarm] = faults.alarms;
  t.regex(alarm!, /ICMP "port unreachable".*"Destination Host Unreachable".*modprobe -r sit$/);
  t.is(faults.blocking, undefined, 'packets pass');
  found = [];
  await until(t, () => faults.alarms.length === 0);
  found = ['ipip', 'sit'];
  await until(t, () => faults.alarms[0]?.endsWith('modprobe -r ipip sit') === true);
  stop();
  t.deepEqual(faults.alarms, []);
});
