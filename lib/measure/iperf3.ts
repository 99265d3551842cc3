/** iperf3(1): how we start it, and what we read from its `--json` report. */
import { WeftError } from '../error.ts';

/** Named and set in every run: the machine's default may be BBR, which paces and so hides what the path can do. */
export const CONGESTION_CONTROL = 'cubic';

export interface TcpTest {
  readonly server: string;
  readonly port: number;
  readonly streams: number;
  /** Seconds that count; one more before them does not (slow start, just-in-time compilation). */
  readonly seconds: number;
  /** The server sends. Default: the client does. */
  readonly reverse?: boolean;
  /** Both send, each as many streams. */
  readonly bothWays?: boolean;
  /** Payload that all streams together send no faster than; default: as fast as it goes. */
  readonly bitsPerSecond?: number;
}

/** Seconds at the start of a run that do not count. */
export const OMITTED_SECONDS = 1;

/** `address`: of ours, the only one it listens at; every address without. */
export function serverArguments(port: number, address?: string): string[] {
  const bind = address === undefined ? [] : ['--bind', address];
  return ['--server', '--one-off', '--forceflush', ...bind, '--port', String(port)];
}

/** What the server prints when it accepts connections. */
export const SERVER_LISTENING = 'Server listening';

export function clientArguments(test: TcpTest): string[] {
  const options = {
    client: test.server,
    port: test.port,
    congestion: CONGESTION_CONTROL,
    parallel: test.streams,
    time: test.seconds,
    omit: OMITTED_SECONDS,
    'connect-timeout': 3000,
  };
  const values = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  return [
    ...values,
    // iperf3 takes it for each stream.
    ...(test.bitsPerSecond === undefined ? [] : ['--bitrate', String(Math.round(test.bitsPerSecond / test.streams))]),
    ...(test.reverse === true ? ['--reverse'] : []),
    ...(test.bothWays === true ? ['--bidir'] : []),
    '--json',
  ];
}

export interface TcpResult {
  /** Payload that arrived, over the seconds that count; of both directions together if both sent. */
  readonly bitsPerSecond: number;
  /** What of it came from the server; 0 unless both sent. */
  readonly backBitsPerSecond: number;
  /** Payload bytes sent in the whole run, the omitted second too: what the CPU time of the run paid for. */
  readonly totalBytes: number;
  readonly retransmits: number;
  /** As iperf3 read it back from the socket. */
  readonly congestionControl: string;
  /** TCP's MSS, bytes. */
  readonly mss: number;
}

interface Iperf3Report {
  readonly error?: string;
  readonly start?: { readonly tcp_mss_default?: number };
  readonly intervals?: readonly {
    readonly sum?: { readonly bytes?: number };
    readonly sum_bidir_reverse?: { readonly bytes?: number };
  }[];
  readonly end?: {
    readonly sum_sent?: { readonly retransmits?: number };
    readonly sum_received?: { readonly bits_per_second?: number };
    readonly sum_sent_bidir_reverse?: { readonly retransmits?: number };
    readonly sum_received_bidir_reverse?: { readonly bits_per_second?: number };
    readonly sender_tcp_congestion?: string;
  };
}

/** Reads the client's report. Codes: IPERF3_FAILED with iperf3's own words, IPERF3_REPORT if it is not one. */
export function readIperf3Report(text: string): TcpResult {
  let report: Iperf3Report;
  try {
    report = JSON.parse(text) as Iperf3Report;
  } catch (error) {
    throw new WeftError('IPERF3_REPORT', `iperf3 printed no JSON report: "${text.slice(0, 200)}"`, { cause: error });
  }
  if (report.error !== undefined) throw new WeftError('IPERF3_FAILED', `iperf3 failed: ${report.error}`);
  const bitsPerSecond = report.end?.sum_received?.bits_per_second;
  const congestionControl = report.end?.sender_tcp_congestion;
  if (bitsPerSecond === undefined || congestionControl === undefined) {
    throw new WeftError('IPERF3_REPORT', 'the report of iperf3 has no end.sum_received or no sender_tcp_congestion', {
      hint: 'iperf3 3.7 or later is needed',
    });
  }
  const { end = {}, intervals = [] } = report;
  const backBitsPerSecond = end.sum_received_bidir_reverse?.bits_per_second ?? 0;
  const bytesOf = ({ sum, sum_bidir_reverse: back }: (typeof intervals)[number]) =>
    (sum?.bytes ?? 0) + (back?.bytes ?? 0);
  return {
    bitsPerSecond: bitsPerSecond + backBitsPerSecond,
    backBitsPerSecond,
    totalBytes: intervals.reduce((total, interval) => total + bytesOf(interval), 0),
    retransmits: (end.sum_sent?.retransmits ?? 0) + (end.sum_sent_bidir_reverse?.retransmits ?? 0),
    congestionControl,
    mss: report.start?.tcp_mss_default ?? 0,
  };
}
