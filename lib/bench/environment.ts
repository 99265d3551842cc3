/** On what a benchmark ran. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { readVersion } from '../version.ts';
import type { Environment } from './report.ts';

/** The checkout, above both dist/lib/bench and lib/bench. */
const CHECKOUT = fileURLToPath(new URL('../../..', import.meta.url));

export async function describeEnvironment(): Promise<Environment> {
  return {
    kernel: release(),
    cpu: cpus()[0]?.model ?? 'unknown',
    cpus: cpus().length,
    memoryBytes: totalmem(),
    node: process.version,
    weft: readVersion(),
    commit: await currentCommit(),
    loadAverage: loadavg()[0] ?? 0,
    defaultCongestionControl: readFileSync('/proc/sys/net/ipv4/tcp_congestion_control', 'utf8').trim(),
  };
}

/** "1f688b1", with "-modified" behind it when files differ; null when this is no git checkout or git is missing. */
async function currentCommit(): Promise<string | null> {
  try {
    const describe = ['-C', CHECKOUT, 'describe', '--always', '--dirty=-modified', '--exclude', '*'];
    const { stdout } = await promisify(execFile)('git', describe);
    return stdout.trim();
  } catch {
    return null;
  }
}
