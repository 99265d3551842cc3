import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import test from 'ava';
import { allowedCpus, setAffinity } from '../../lib/sys/affinity.ts';
import { BlockingSleep } from '../../lib/sys/sleep.ts';

function cpusOfThreads(pid: number): string[] {
  return readdirSync(`/proc/${pid}/task`).map(
    (thread) =>
      /^Cpus_allowed_list:\s+(.*)$/m.exec(readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8'))?.[1] ?? '',
  );
}

test('all threads of a process move to the CPUs given, and back', async (t) => {
  const cpus = allowedCpus();
  t.true(cpus.length > 0);
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000); console.log("up")']);
  await once(child.stdout, 'data');
  const pid = child.pid!;
  const before = cpusOfThreads(pid);
  t.true(before.length > 1, 'Node has several threads');
  setAffinity(pid, [cpus[0]!]);
  t.deepEqual(new Set(cpusOfThreads(pid)), new Set([String(cpus[0])]));
  setAffinity(pid, cpus);
  t.deepEqual(cpusOfThreads(pid), before);
  child.kill();
  await once(child, 'close');
  t.notThrows(() => setAffinity(pid, cpus), 'a process that has ended is left out');
});

test('a short sleep lasts at least as long as asked, in microseconds', (t) => {
  const sleep = new BlockingSleep();
  const lengths = Array.from({ length: 50 }, () => {
    const start = performance.now();
    sleep.microseconds(300);
    return performance.now() - start;
  });
  t.true(Math.min(...lengths) >= 0.3, String(Math.min(...lengths)));
  // A thousand times as long would be milliseconds; the shortest of fifty, because the machine may be busy.
  t.true(Math.min(...lengths) < 150, String(Math.min(...lengths)));
});
