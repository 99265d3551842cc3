/** Resource limits (getrlimit(2)) below which Node ends in the middle of a start, with a stack trace or a core of V8. */
import { readFileSync } from 'node:fs';
import { WeftError } from '../../error.ts';

/** A line of /proc/self/limits: proc(5). */
interface Limit {
  readonly name: string;
  /** The least that will do, and how to write it. */
  readonly least: number;
  readonly leastText: string;
  /** systemd's setting and the shell's. */
  readonly setting: string;
  readonly shell: string;
}

/**
 * Our choice, with some room: a weftd with one network has been seen to start with 64 descriptors, 180 MB of data and 12 GB of
 * address space, of which V8 reserves 10 for the data plane's memory and uses none.
 */
const LIMITS: readonly Limit[] = [
  { name: 'Max open files', least: 128, leastText: '128', setting: 'LimitNOFILE=1024', shell: 'ulimit -n 1024' },
  {
    name: 'Max data size',
    least: 224 * 2 ** 20,
    leastText: '224 MiB',
    setting: 'LimitDATA=infinity',
    shell: 'ulimit -d unlimited',
  },
  {
    name: 'Max address space',
    least: 11 * 2 ** 30,
    leastText: '11 GiB',
    setting: 'LimitAS=infinity',
    shell: 'ulimit -v unlimited',
  },
];

/** Throws WeftError LIMIT_TOO_LOW. `text`: /proc/self/limits, whose soft limit counts. */
export function checkLimits(text = readFileSync('/proc/self/limits', 'utf8')): void {
  for (const { name, least, leastText, setting, shell } of LIMITS) {
    const soft = new RegExp(`^${name}\\s+(\\d+)`, 'm').exec(text)?.[1];
    if (soft === undefined || Number(soft) >= least) continue;
    throw new WeftError('LIMIT_TOO_LOW', `The limit "${name}" is ${soft}, and weftd needs ${leastText}`, {
      hint: `raise it: ${setting} in the unit, or ${shell} in the shell that starts weftd`,
    });
  }
}
