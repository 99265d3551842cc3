/** Sends echo requests to several addresses in turn and times the replies. */
import { setTimeout as delay } from 'node:timers/promises';
import { formatIpv4, type Ipv4 } from '../addr/ipv4.ts';
import { WeftError } from '../error.ts';
import { echoRequest, readEchoAnswer } from './echo-message.ts';
import { openRawIcmp, type RawSocket } from './raw-icmp.ts';

export interface EchoProbeOptions {
  /** Asked in turn, one after the other within an interval, so that each sees the same moments. */
  readonly targets: readonly Ipv4[];
  /** Requests to each target, 1..65535 / number of targets. */
  readonly count: number;
  /** Between two requests to one target. */
  readonly intervalMs: number;
  /** A reply later than this counts as lost. */
  readonly timeoutMs: number;
  /** 16 bits; distinguishes our echoes from those of others. */
  readonly identifier: number;
  readonly signal?: AbortSignal;
  /** File of the network namespace that they leave from; undefined: ours. */
  readonly netns?: string | undefined;
}

export interface EchoOutcome {
  readonly target: Ipv4;
  readonly sent: number;
  /** Of each reply, milliseconds. Both ends of the time are taken in this process. */
  readonly rttMs: readonly number[];
  /** What came back instead of replies: "ICMP unreachable (host) from 192.0.2.1", or why it could not be sent; how often. */
  readonly errors: ReadonlyMap<string, number>;
}

/** Payload of ping(8), so that packets have the usual 84 bytes. */
const PAYLOAD_SIZE = 56;
/** Linux looks for a neighbour for 3 s before it says that the host is unreachable; worth waiting for when all is silent. */
const NEIGHBOUR_MS = 3500;

/** Resolves when all replies are in or too late. Codes: RAW_SOCKET_MISSING, NOT_PERMITTED. */
export async function probeEchoes(options: EchoProbeOptions): Promise<EchoOutcome[]> {
  const probe = new EchoProbe(options, openRawIcmp(options.netns));
  try {
    return await probe.run();
  } finally {
    probe.close();
  }
}

interface Pending {
  readonly target: TargetRecord;
  sentAt: number;
}

interface TargetRecord {
  readonly target: Ipv4;
  sent: number;
  readonly rttMs: number[];
  readonly errors: Map<string, number>;
}

class EchoProbe {
  readonly #options: EchoProbeOptions;
  readonly #socket: RawSocket;
  readonly #records: readonly TargetRecord[];
  readonly #pending = new Map<number, Pending>();
  #sequence = 0;
  #allSent = false;
  #failure: WeftError | undefined;
  #wake: () => void = () => {};

  constructor(options: EchoProbeOptions, socket: RawSocket) {
    this.#options = options;
    this.#socket = socket;
    this.#records = options.targets.map((target) => ({ target, sent: 0, rttMs: [], errors: new Map() }));
    socket.on('message', (packet) => this.#receive(packet, performance.now()));
    socket.on('error', (cause) => {
      this.#failure ??= new WeftError('RAW_SOCKET_FAILED', `The raw ICMP socket failed: ${cause.message}`, { cause });
      this.#wake();
    });
  }

  async run(): Promise<EchoOutcome[]> {
    const { count, intervalMs, timeoutMs, signal } = this.#options;
    const start = performance.now();
    const gapMs = intervalMs / this.#records.length;
    const goesOn = (): boolean => signal?.aborted !== true && this.#failure === undefined;
    for (let i = 0; i < count * this.#records.length && goesOn(); i++) {
      const waitMs = start + i * gapMs - performance.now();
      if (waitMs > 0) await delay(waitMs, undefined, signal && { signal }).catch(() => {});
      if (goesOn()) this.#send(this.#records[i % this.#records.length]!);
    }
    this.#allSent = true;
    if (this.#pending.size > 0 && goesOn()) await this.#lastReplies();
    if (this.#failure !== undefined) throw this.#failure;
    return this.#records.map(({ target, sent, rttMs, errors }) => ({
      target,
      sent,
      rttMs: rttMs.filter((rtt) => rtt <= timeoutMs),
      errors,
    }));
  }

  close(): void {
    this.#socket.close();
  }

  #send(target: TargetRecord): void {
    const sequence = this.#sequence++ & 0xffff;
    const request = Buffer.from(echoRequest(this.#options.identifier, sequence, PAYLOAD_SIZE));
    const pending: Pending = { target, sentAt: 0 };
    this.#pending.set(sequence, pending);
    target.sent++;
    const stamp = () => {
      pending.sentAt = performance.now();
    };
    this.#socket.send(request, 0, request.length, formatIpv4(target.target), stamp, (error) => {
      if (error !== null) this.#fail(sequence, error.message);
    });
  }

  #receive(packet: Uint8Array, now: number): void {
    const answer = readEchoAnswer(packet);
    if (answer === undefined || answer.identifier !== this.#options.identifier) return;
    const pending = this.#pending.get(answer.sequence);
    const about = answer.kind === 'reply' ? answer.from : answer.to;
    if (pending === undefined || pending.target.target !== about) return;
    if (answer.kind === 'error') {
      this.#fail(answer.sequence, `${answer.text} from ${formatIpv4(answer.from)}`);
      return;
    }
    pending.target.rttMs.push(now - pending.sentAt);
    this.#finish(answer.sequence);
  }

  #fail(sequence: number, text: string): void {
    const errors = this.#pending.get(sequence)?.target.errors;
    errors?.set(text, (errors.get(text) ?? 0) + 1);
    this.#finish(sequence);
  }

  #finish(sequence: number): void {
    this.#pending.delete(sequence);
    if (this.#allSent && this.#pending.size === 0) this.#wake();
  }

  async #lastReplies(): Promise<void> {
    const silent = this.#records.some(({ rttMs, errors }) => rttMs.length === 0 && errors.size === 0);
    const waitMs = Math.max(this.#options.timeoutMs, silent ? NEIGHBOUR_MS : 0);
    const finished = new AbortController();
    this.#wake = () => finished.abort();
    const { signal } = this.#options;
    const either = signal === undefined ? finished.signal : AbortSignal.any([finished.signal, signal]);
    await delay(waitMs, undefined, { signal: either }).catch(() => {});
  }
}
