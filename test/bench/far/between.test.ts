import test from 'ava';
import { runBetween } from '../../../lib/bench/far/between.ts';
import type { FarReport } from '../../../lib/bench/far/far-report.ts';
import type { Request, Side } from '../../../lib/bench/far/requests.ts';
import { WeftError } from '../../../lib/error.ts';

const OPTIONS = {
  rounds: 2,
  tests: ['tcp1', 'rtt'],
  tcpSeconds: 1,
  udpTrialSeconds: 0.1,
  pings: 10,
  pingIntervalSeconds: 0.002,
} as const;

/** Two machines without a weftd that answer at once; `fails` may throw in place of an answer. */
class Machines {
  readonly asked: string[] = [];
  readonly abort = new AbortController();
  readonly #fails: (type: Request['type'], count: number) => void;

  constructor(fails: (type: Request['type'], count: number) => void = () => undefined) {
    this.#fails = fails;
  }

  side(role: string): Side {
    const ask = async (request: Request): Promise<unknown> => {
      this.asked.push(`${role} ${request.type}`);
      this.#fails(request.type, this.asked.filter((line) => line.endsWith(` ${request.type}`)).length);
      switch (request.type) {
        case 'describe':
          return { environment: {}, isRoot: true, missing: [] };
        case 'overlay':
          return { networks: [], why: 'none' };
        case 'usage':
          return { machine: { user: 1, kernel: 1 }, daemon: null, residentBytes: null };
        case 'tcp-call':
          return { bitsPerSecond: 2e9, totalBytes: 1e9, retransmits: 0, congestionControl: 'cubic', mss: 1448 };
        case 'ping':
          return { p50Ms: 0.1, p99Ms: 0.2, lost: 0 };
        case 'pair-start':
          return { vtepMac: `02:00:00:00:00:${role === 'near' ? '01' : '02'}` };
        default:
          return {};
      }
    };
    return { ask: ask as Side['ask'] };
  }

  run(): Promise<FarReport> {
    const host = {
      now: () => new Date(0),
      clock: () => 0,
      log: () => undefined,
      signal: this.abort.signal,
      addresses: { near: '192.0.2.1', far: '192.0.2.2' },
    };
    return runBetween(OPTIONS, host, { near: this.side('near'), far: this.side('far') });
  }
}

test('a run measures each path in each round, and stops each pair that it started', async (t) => {
  const machines = new Machines();
  const report = await machines.run();
  t.deepEqual([report.failures, report.lost, report.interrupted], [[], null, false]);
  const throughput = report.results.filter(({ metric }) => metric === 'throughput');
  t.deepEqual(
    throughput.map(({ path, direction, samples }) => [path, direction, samples.length]),
    ['underlay', 'weft-udp', 'weft-vxlan'].flatMap((path) => [
      [path, 'to-far', 2],
      [path, 'from-far', 2],
    ]),
  );
  const count = (line: string) => machines.asked.filter((asked) => asked === line).length;
  for (const side of ['near', 'far']) {
    t.is(count(`${side} pair-start`), 4);
    t.is(count(`${side} pair-join`), 4);
    t.is(count(`${side} pair-stop`), 4);
  }
  // The near side alone calls.
  t.is(count('far tcp-call'), 0);
  t.is(count('near tcp-serve'), 0);
});

test('a far side that is lost in the middle ends the run with what there is', async (t) => {
  const machines = new Machines((type, count) => {
    if (type === 'tcp-serve' && count > 2) throw new WeftError('FAR_LOST', 'It has ended: Ctrl-C there');
  });
  const report = await machines.run();
  t.is(report.lost, 'It has ended: Ctrl-C there');
  t.deepEqual(
    [...new Set(report.results.map(({ path, test: name }) => `${path} ${name}`))],
    ['underlay tcp1', 'underlay rtt'],
  );
  t.deepEqual(report.failures, []);
  t.deepEqual(
    report.notMeasured.filter(({ path }) => path === 'weft-vxlan'),
    ['tcp1', 'rtt'].map((name) => ({ path: 'weft-vxlan', test: name, why: 'the far side was lost before' })),
  );
  // Nobody is asked any more.
  t.false(
    machines.asked.slice(machines.asked.lastIndexOf('far tcp-serve') + 1).some((line) => line !== 'far pair-stop'),
  );
});

test('a pair that does not come up is a failure of its path alone, with the hint', async (t) => {
  const machines = new Machines((type) => {
    if (type === 'pair-join') throw new WeftError('PATH_DOWN', 'No echo', { hint: 'A firewall?' });
  });
  const report = await machines.run();
  t.is(report.failures.length, 4);
  t.like(report.failures[0], { path: 'weft-udp', test: null, direction: null, message: 'No echo. A firewall?' });
  t.deepEqual([...new Set(report.results.map(({ path }) => path))], ['underlay']);
  t.deepEqual(
    report.notMeasured.map(({ path }) => path),
    ['overlay'],
  );
});

test('a measurement that fails leaves the others alone', async (t) => {
  const machines = new Machines((type, count) => {
    if (type === 'ping' && count === 1) throw new WeftError('PING_FAILED', 'no answer');
  });
  const report = await machines.run();
  t.deepEqual(report.failures, [{ round: 1, path: 'underlay', test: 'rtt', direction: 'both', message: 'no answer' }]);
  t.is(report.results.find(({ path, metric }) => path === 'underlay' && metric === 'p50')?.samples.length, 1);
});

test('a run that is interrupted reports what it has', async (t) => {
  const machines = new Machines((type, count) => {
    if (type === 'pair-start' && count === 1) {
      machines.abort.abort();
      throw new WeftError('FAR_SIDE_ENDED', 'The process that measures has ended');
    }
  });
  const report = await machines.run();
  t.deepEqual([report.interrupted, report.lost, report.failures], [true, null, []]);
  t.deepEqual([...new Set(report.results.map(({ path }) => path))], ['underlay']);
  t.true(report.notMeasured.some(({ path, why }) => path === 'weft-udp' && why === 'the run was interrupted before'));
});
