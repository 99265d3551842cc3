import test from 'ava';
import { Pending } from '../../../lib/bench/far/side-protocol.ts';
import { until } from '../../../lib/lab/until.ts';
import { PATIENCE_MS } from '../../patience.ts';

test('a reply that does not come in time is lost; where there is no limit it may take any time', async (t) => {
  const limited = new Pending(20);
  const patient = new Pending(null);
  let lost = false;
  const waiting = patient.ask({}, () => undefined);
  limited
    .ask({}, () => undefined)
    .catch(() => {
      lost = true;
    });
  t.true(await until(() => lost, PATIENCE_MS));
  t.true(patient.settle({ id: 1, value: 'late' }));
  t.is(await waiting, 'late');
  t.false(limited.settle({ id: 1, value: 'late' }));
});
