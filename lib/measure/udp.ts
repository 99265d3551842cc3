/** The loss-free rate of UDP packets of one size over a path. */
import { searchThroughput, type TrialOutcome } from './throughput-search.ts';
import { LocalUdpEnd, type UdpReceiver, type UdpSender } from './udp-ends.ts';

/** The inner IPv4 packet, header included; no link layer is counted. 36 bytes of it are UDP payload. */
export const SMALL_PACKET_BYTES = 64;
export const SMALL_PAYLOAD_BYTES = udpPayload(SMALL_PACKET_BYTES);

/** What of an IPv4 packet of so many bytes is UDP payload. */
function udpPayload(packetBytes: number): number {
  return packetBytes - 20 - 8;
}
export const MAX_LOSS = 0.001;

const PORT = 9000;
const FIRST_WITHIN_MS = 3000;
const QUIET_MS = 200;
const WARM_UP_SECONDS = 0.2;
const WARM_UP_RATE = 5000;
const FLOOR = 1000;
const RESOLUTION = 0.03;
const ATTEMPTS = 2;

export interface UdpSample {
  /** Packets a second offered and delivered with no more than MAX_LOSS. */
  readonly packetsPerSecond: number;
  readonly loss: number;
  /** `sender`: the path lost nothing, but the sending side could not offer more. */
  readonly limit: 'loss' | 'sender' | 'floor';
  /** What the sender offers without pacing, and what of it arrives. */
  readonly flood: { readonly sentPerSecond: number; readonly receivedPerSecond: number };
}

/** Searches the rate of paths between two ends that stay. */
export class UdpRateSearch {
  readonly #sender: UdpSender;
  readonly #receiver: UdpReceiver;
  readonly #port: number;
  #trial = 0;

  constructor(sender: UdpSender, receiver: UdpReceiver, port: number = PORT) {
    this.#sender = sender;
    this.#receiver = receiver;
    this.#port = port;
  }

  /** `server`: the receiver's address on the path. `packetBytes`: of each IPv4 packet, 36 to the path's MTU. */
  async measure(server: string, trialSeconds: number, packetBytes: number = SMALL_PACKET_BYTES): Promise<UdpSample> {
    const trial = (rate: number | null, seconds: number) => this.#trialTo(server, packetBytes, rate, seconds);
    // The daemons on the path have just been started.
    await trial(WARM_UP_RATE, WARM_UP_SECONDS);
    const flood = await trial(null, trialSeconds);
    const delivered = flood.sentRate * (1 - flood.loss);
    const rates = { sentPerSecond: flood.sentRate, receivedPerSecond: delivered };
    if (flood.loss <= MAX_LOSS) {
      return { packetsPerSecond: flood.sentRate, loss: flood.loss, limit: 'sender', flood: rates };
    }
    const result = await searchThroughput((rate) => trial(rate, trialSeconds), {
      maxLoss: MAX_LOSS,
      floor: FLOOR,
      ceiling: Math.max(flood.sentRate, FLOOR),
      resolution: RESOLUTION,
      attempts: ATTEMPTS,
      guess: delivered,
    });
    return {
      packetsPerSecond: result.rate,
      loss: result.loss,
      limit: result.limit,
      flood: rates,
    };
  }

  /** One trial; `rate` null floods. */
  async #trialTo(server: string, packetBytes: number, rate: number | null, seconds: number): Promise<TrialOutcome> {
    const common = { port: this.#port, payloadSize: udpPayload(packetBytes), trial: ++this.#trial };
    await this.#receiver.listen({ ...common, firstWithinMs: FIRST_WITHIN_MS, quietMs: QUIET_MS });
    const sent = await this.#sender.send({ to: server, ...common, rate, seconds });
    const { received } = await this.#receiver.received();
    // No more can arrive than was sent: what is above it is a stranger's.
    const arrived = Math.min(received, sent.sent);
    return { sentRate: sent.sent / sent.seconds, loss: sent.sent === 0 ? 1 : 1 - arrived / sent.sent };
  }
}

/** A sender and a receiver in two namespaces, for all paths between them. */
export class UdpBench {
  readonly #sender: LocalUdpEnd;
  readonly #receiver: LocalUdpEnd;
  readonly #search: UdpRateSearch;

  constructor(clientNetns: string, serverNetns: string) {
    this.#sender = new LocalUdpEnd(clientNetns);
    this.#receiver = new LocalUdpEnd(serverNetns);
    this.#search = new UdpRateSearch(this.#sender, this.#receiver);
  }

  get pids(): readonly number[] {
    return [this.#sender.pid, this.#receiver.pid];
  }

  /** `server`: the receiver's address on the path; `packetBytes` as UdpRateSearch has it. */
  measure(server: string, trialSeconds: number, packetBytes: number = SMALL_PACKET_BYTES): Promise<UdpSample> {
    return this.#search.measure(server, trialSeconds, packetBytes);
  }

  async stop(): Promise<void> {
    await Promise.all([this.#sender.stop(), this.#receiver.stop()]);
  }
}
