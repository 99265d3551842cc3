import test from 'ava';
import { DeviceChanges } from '../../lib/engine/device-changes.ts';
import { logTo } from '../log.ts';

test('a device that somebody goes on setting down is a fault until it stays up, and said once (a brother of V1)', (t) => {
  const lines: string[] = [];
  const changes = new DeviceChanges(
    'flannel0',
    logTo((_fields, message) => lines.push(message)),
  );
  t.deepEqual(changes.looked([]), []);
  t.deepEqual(changes.looked(['up']), []);
  t.deepEqual(changes.looked(['up']), []);
  const [fault] = changes.looked(['up']);
  t.regex(fault?.text ?? '', /^Somebody goes on setting device "flannel0" down: /);
  t.true(fault?.blocks);
  t.deepEqual(lines, ['Somebody changed the device; it was put right']);
  const after = Array.from({ length: 40 }, () => changes.looked([]).length);
  t.is(after[0], 1);
  t.is(after.at(-1), 0);
});

test('what loses no packet is no fault, however often it is changed', (t) => {
  const changes = new DeviceChanges(
    'flannel0',
    logTo(() => undefined),
  );
  for (let i = 0; i < 20; i++) t.deepEqual(changes.looked(['transmit queue of 1000']), []);
});

test('what somebody goes on changing is said again after ten minutes, not never', (t) => {
  let lines = 0;
  const changes = new DeviceChanges(
    'flannel0',
    logTo(() => lines++),
  );
  for (let second = 0; second < 1800; second++) changes.looked(['transmit queue of 1000']);
  t.is(lines, 3);
});
