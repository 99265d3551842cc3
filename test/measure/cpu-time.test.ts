import { readFileSync } from 'node:fs';
import test from 'ava';
import {
  cpuPerGB,
  machineCpuSeconds,
  machineCpuTimes,
  processCpuSeconds,
  residentBytes,
} from '../../lib/measure/cpu-time.ts';

test('the machine is busy in user, nice, system, irq and softirq time, not when idle, waiting or stolen from', (t) => {
  //                 user nice system idle  iowait irq softirq steal guest guest_nice
  const stat = 'cpu  100  20   300    40000 5000   6   70      800   90    10\ncpu0 1 2 3 4 5 6 7 8 9 10\n';
  t.is(machineCpuSeconds(stat), (100 + 20 + 300 + 6 + 70) / 100);
  const { user, kernel, steal, all } = machineCpuTimes(stat);
  t.is(user, 1.2);
  t.is(kernel.toFixed(2), '3.76');
  t.is(steal, 8);
  t.is(all.toFixed(2), '462.96', 'guest time is part of user');
});

test('a process name with spaces and parentheses does not shift the fields', (t) => {
  const stat =
    '4711 (a ) R (b) S 1 4711 4711 0 -1 4194560 1000 0 0 0 250 150 0 0 20 0 11 0 8000 1000000 20000 18446744073709551615';
  t.is(processCpuSeconds(stat), 4);
});

test('this process has used CPU time and memory according to its own /proc', (t) => {
  const used = process.cpuUsage();
  const seconds = processCpuSeconds(readFileSync('/proc/self/stat', 'utf8'));
  t.true(Math.abs(seconds - (used.user + used.system) / 1e6) < 0.1, `${seconds} and ${JSON.stringify(used)}`);
  const resident = residentBytes(readFileSync('/proc/self/status', 'utf8'));
  t.true(Math.abs(resident / process.memoryUsage.rss() - 1) < 0.2, String(resident));
  t.true(machineCpuSeconds(readFileSync('/proc/stat', 'utf8')) > seconds);
});

test('text that is not from /proc is refused', (t) => {
  t.throws(() => machineCpuSeconds('intr 1 2 3'), { code: 'PROC_FORMAT' });
  t.throws(() => processCpuSeconds('1 (x) S 0'), { code: 'PROC_FORMAT' });
  t.throws(() => residentBytes('Name: x'), { code: 'PROC_FORMAT' });
});

test('what a GB cost is the difference of two readings', (t) => {
  t.deepEqual(cpuPerGB({ user: 1, kernel: 2 }, { user: 2, kernel: 5 }, 2e9), { user: 0.5, kernel: 1.5 });
});
