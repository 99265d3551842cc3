import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { type Fault, Faults } from '../lib/faults.ts';
import { logTo } from './log.ts';

function board() {
  const lines: string[] = [];
  let changes = 0;
  let time = 0;
  const log = logTo((fields, message) =>
    lines.push(`${message}${Object.keys(fields).length > 0 ? JSON.stringify(fields) : ''}`),
  );
  const faults = new Faults({ log, onChange: () => changes++, now: () => time });
  return {
    faults,
    lines,
    changes: () => changes,
    pass: (ms: number) => {
      time += ms;
    },
  };
}

const down: Fault = { text: 'flannel0 is down', blocks: true };
const twin: Fault = { text: 'two leases', blocks: false };

test('a fault is an alarm while its part says so, and blocks only if it says that', (t) => {
  const { faults, lines, changes } = board();
  faults.report('leases', [twin]);
  t.deepEqual([faults.alarms, faults.blocking], [['two leases'], undefined]);
  faults.report('device', [down]);
  t.deepEqual([faults.alarms, faults.blocking], [['flannel0 is down', 'two leases'], 'flannel0 is down']);
  faults.report('device', [down]);
  t.is(changes(), 2, 'the same report changes nothing');
  faults.report('leases', []);
  t.deepEqual(faults.alarms, ['flannel0 is down']);
  faults.report('device', []);
  t.is(faults.blocking, undefined);
  t.deepEqual(lines, [
    'Alarm: two leases',
    'Alarm: flannel0 is down',
    'Alarm is over: two leases',
    'Alarm is over: flannel0 is down',
  ]);
});

test('parts do not touch each other, and a fault may turn into one that blocks', (t) => {
  const { faults, lines } = board();
  faults.report('a', [twin, twin]);
  faults.report('b', []);
  faults.report('a', [{ ...twin, blocks: true }]);
  t.deepEqual([faults.alarms, faults.blocking], [['two leases'], 'two leases']);
  t.deepEqual(lines, ['Alarm: two leases', 'Alarm: two leases']);
  faults.clear();
  t.deepEqual([faults.alarms, lines.length], [[], 2]);
});

test('a fault with a grace counts when it has stood that long', async (t) => {
  const { faults, changes } = board();
  const patient = { ...down, graceMs: 20 };
  faults.report('device', [patient]);
  faults.report('device', []);
  faults.report('device', [patient]);
  t.deepEqual([faults.alarms, changes()], [[], 0]);
  while (faults.blocking === undefined) {
    faults.report('device', [patient]);
    await sleep(1);
  }
  t.is(changes(), 1);
  faults.report('device', [{ ...down, graceMs: 3_600_000 }]);
  t.is(faults.blocking, 'flannel0 is down', 'one that counts does not begin anew');
  faults.clear();
});

test('a fault that comes and goes gets six lines a minute, and what was left out is counted', (t) => {
  const { faults, lines, pass } = board();
  for (let i = 0; i < 20; i++) {
    faults.report('device', [down]);
    faults.report('device', []);
    pass(500);
  }
  t.is(lines.length, 6);
  pass(60_000);
  faults.report('device', [down]);
  t.is(lines.at(-1), 'Alarm: flannel0 is down{"omittedAlarmLines":34}');
  t.is(faults.blocking, 'flannel0 is down');
});
