/** The two ends of a UDP trial, wherever they are: here in a namespace of this machine. */
import { TrafficProcess } from './traffic-process.ts';
import type { ReceiveReply, ReceiveRequest, SendReply, SendRequest } from './traffic-protocol.ts';

type Without<T> = Omit<T, 'type'>;

/** Sends the datagrams of a trial. */
export interface UdpSender {
  send(request: Without<SendRequest>): Promise<Without<SendReply>>;
}

/** Counts those that arrive. One trial at a time: `listen`, then `received`. */
export interface UdpReceiver {
  /** Resolves when datagrams may come. */
  listen(request: Without<ReceiveRequest>): Promise<void>;
  /** Resolves when the trial is over. */
  received(): Promise<Without<ReceiveReply>>;
}

/** Both ends as one process in a namespace, undefined: ours. It does one thing at a time. */
export class LocalUdpEnd implements UdpSender, UdpReceiver {
  readonly #process: TrafficProcess;

  constructor(netns: string | undefined) {
    this.#process = new TrafficProcess(netns);
  }

  get pid(): number {
    return this.#process.pid;
  }

  send(request: Without<SendRequest>): Promise<SendReply> {
    this.#process.ask({ ...request, type: 'send' });
    return this.#process.reply('sent');
  }

  async listen(request: Without<ReceiveRequest>): Promise<void> {
    this.#process.ask({ ...request, type: 'receive' });
    await this.#process.reply('listening');
  }

  received(): Promise<ReceiveReply> {
    return this.#process.reply('received');
  }

  stop(): Promise<void> {
    return this.#process.stop();
  }
}
