/** What a report says of how its run measured, in the lab and between two machines alike. */
import { CONGESTION_CONTROL, OMITTED_SECONDS } from '../measure/iperf3.ts';
import { PING_RESOLUTION_MS } from '../measure/ping-output.ts';
import { GENERATOR_TEXT } from '../measure/traffic-protocol.ts';
import { MAX_LOSS, SMALL_PACKET_BYTES } from '../measure/udp.ts';
import type { Durations } from './costs.ts';

export interface Method extends Durations {
  readonly rounds: number;
  readonly congestionControl: string;
  readonly tcpOmittedSeconds: number;
  readonly smallPacketBytes: number;
  readonly maxLoss: number;
  readonly generator: string;
  readonly rttResolutionMs: number;
}

export function describeMethod(rounds: number, durations: Durations): Method {
  const { tcpSeconds, udpTrialSeconds, pings, pingIntervalSeconds } = durations;
  return {
    rounds,
    congestionControl: CONGESTION_CONTROL,
    tcpSeconds,
    tcpOmittedSeconds: OMITTED_SECONDS,
    smallPacketBytes: SMALL_PACKET_BYTES,
    maxLoss: MAX_LOSS,
    udpTrialSeconds,
    generator: GENERATOR_TEXT,
    pings,
    pingIntervalSeconds,
    rttResolutionMs: PING_RESOLUTION_MS,
  };
}
