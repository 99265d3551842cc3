import test from 'ava';
import type { StatsReply } from '../../../lib/control/protocol.ts';
import { type Reading, spentBetween } from '../../../lib/observe/overhead/reading.ts';

/** The counters that a reading uses; a weftd that is older than the stage clock has no `stages`. */
function reading(change: Partial<Reading> = {}, drops: Record<string, number> = { 'no-route': 5 }): Reading {
  return {
    identity: { pid: 7, startedAt: '2026-11-29T12:00:00.000Z' },
    stats: { drops } as unknown as StatsReply,
    cpu: { daemon: { user: 1, system: 2 }, machine: 100, own: 0.5 },
    ...change,
  };
}

test('what a while cost is the difference; of a weftd without a clock there are no stages', (t) => {
  const after = reading(
    { cpu: { daemon: { user: 1.5, system: 4 }, machine: 110, own: 1 } },
    { 'no-route': 8, late: 0 },
  );
  t.deepEqual(spentBetween(reading(), after), {
    stages: null,
    drops: { 'no-route': 3 },
    daemonCpu: { userSeconds: 0.5, systemSeconds: 2 },
    machineCpuSeconds: 10,
    ownCpuSeconds: 0.5,
    notes: [],
  });
});

test('of a weftd that has ended, or was started anew, nothing is told but that', (t) => {
  const cpu = { daemon: { user: 50, system: 60 }, machine: 110, own: 1 };
  const ended = spentBetween(reading(), { cpu, why: 'No control socket at /run/weft/weft.sock' });
  t.deepEqual([ended.stages, ended.drops, ended.daemonCpu, ended.machineCpuSeconds], [null, {}, null, 10]);
  t.deepEqual(ended.notes, [
    'weftd did not answer at the end (No control socket at /run/weft/weft.sock): its clock, its drops and its CPU time are not known',
  ]);
  for (const identity of [
    { pid: 8, startedAt: '2026-11-29T12:00:00.000Z' },
    // A process id that was given again, as the first of a container's always is.
    { pid: 7, startedAt: '2026-11-29T12:00:05.000Z' },
  ]) {
    const anew = spentBetween(reading(), reading({ identity, cpu }, { 'no-route': 100 }));
    t.deepEqual([anew.drops, anew.daemonCpu], [{}, null]);
    t.regex(anew.notes[0]!, /^weftd was started anew meanwhile/);
  }
});

test('a weftd whose process cannot be seen from here has no CPU time', (t) => {
  const hidden = reading({ cpu: { daemon: undefined, machine: 100, own: 0.5 } });
  t.is(spentBetween(hidden, hidden).daemonCpu, null);
});
