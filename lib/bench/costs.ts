/** What each piece of a run takes as far as one knows before the first is measured. Pure. */
import { loadSeconds } from '../measure/loaded-rtt.ts';
import { CONTROL_SECONDS } from './control.ts';
import type { Piece } from './estimate.ts';
import { isTcp, isUdp, LOADS, type Setting, type TestName } from './matrix.ts';
import { type PathName, setupOf } from './paths.ts';
import type { Visit } from './plan.ts';

export interface Durations {
  /** Of a TCP run that count. */
  readonly tcpSeconds: number;
  readonly udpTrialSeconds: number;
  readonly pings: number;
  readonly pingIntervalSeconds: number;
}

/** All from runs on the development machine, seconds. */
const TCP_EXTRA = 1.4;
const UDP_EXTRA = 1.2;
/** Where the sender is what limits, as mostly, one is enough; else it takes some ten. */
const UDP_TRIALS = 2;
const TRIAL_EXTRA = 0.35;
const RTT_EXTRA = 0.3;
/** Starting and stopping what carries a path. */
const KERNEL_PATH = 0.1;
const DAEMONS = 1.3;
const SEGMENT = 2.5;

/** A TCP run of so many seconds that count. */
export function tcpRunSeconds(seconds: number): number {
  return seconds + TCP_EXTRA;
}

/** A search for a loss-free rate that takes so many trials. */
export function udpSearchSeconds(trialSeconds: number, trials: number): number {
  return UDP_EXTRA + trials * (trialSeconds + TRIAL_EXTRA);
}

export function echoSeconds({ pings, pingIntervalSeconds }: Durations): number {
  return pings * pingIntervalSeconds + RTT_EXTRA;
}

/** A visit with a price on each of its parts. */
export interface PricedVisit extends Visit {
  /** Starting and stopping the path's daemons. */
  readonly around: Piece;
  /** In the order of `tests`. */
  readonly pieces: readonly Piece[];
}

export function priceVisit(visit: Visit, durations: Durations): PricedVisit {
  const { setting, path } = visit;
  return {
    ...visit,
    around: {
      kinds: [`around ${setting} ${path}`, `around ${path}`, `around ${setupOf(path).kind}`],
      planned: aroundSeconds(path),
    },
    pieces: visit.tests.map((test) => ({ kinds: kindsOf(setting, test, path), planned: testSeconds(test, durations) })),
  };
}

/** One a round. */
export function priceControl(): Piece {
  return { kinds: ['control'], planned: CONTROL_SECONDS };
}

function kindsOf(setting: Setting, test: TestName, path: PathName): string[] {
  return [`${setting} ${test} ${path}`, `${test} ${path}`, test, isUdp(test) ? 'udp' : isTcp(test) ? 'tcp' : test];
}

function testSeconds(test: TestName, durations: Durations): number {
  const { tcpSeconds, udpTrialSeconds, pings, pingIntervalSeconds } = durations;
  if (isTcp(test)) return tcpRunSeconds(tcpSeconds);
  if (isUdp(test)) return udpSearchSeconds(udpTrialSeconds, UDP_TRIALS);
  return LOADS[test] > 0 ? tcpRunSeconds(loadSeconds(pings, pingIntervalSeconds)) : echoSeconds(durations);
}

function aroundSeconds(path: PathName): number {
  const { kind } = setupOf(path);
  if (kind === 'segment') return SEGMENT;
  return kind === 'weft' || kind === 'kernel-to-weft' || kind === 'flannel' ? DAEMONS : KERNEL_PATH;
}
