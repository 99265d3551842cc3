/**
 * Strangers who open connections faster than Node can accept them would fill the kernel's queue, which then drops the probe of a
 * kubelet too. Here what waits in the queue is taken by plain system calls, answered if its request is there, else kept for a
 * moment. All are asked and answered within the call: nothing here waits.
 */
import type { Server } from 'node:net';
import { formatReply, type HttpReply, type HttpRequest, MAX_HEAD_BYTES, parseRequest } from '../control/http.ts';
import { acceptNow, closeAccepted, receiveNow, sendAndClose } from '../sys/accepted.ts';

export interface CrowdOptions {
  /** Where the connections wait. */
  readonly server: Server;
  readonly answer: (request: HttpRequest) => HttpReply;
  /** How many may be kept; the newest pushes out the oldest. */
  readonly most: number;
}

/** Our choice: the rest of the daemon has its turn after so many. */
const BATCH = 1024;
const LOOK_AGAIN_MS = 20;
/** In looks: whose request is not complete by then is cut. */
const PATIENCE = 2000 / LOOK_AGAIN_MS;

interface Kept {
  readonly fd: number;
  received: string;
  looks: number;
}

export class Crowd {
  readonly #options: CrowdOptions;
  readonly #buffer = new Uint8Array(MAX_HEAD_BYTES);
  /** The oldest first. */
  #kept: Kept[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(options: CrowdOptions) {
    this.#options = options;
  }

  /** Takes what waits. */
  relieve(): void {
    const listening = descriptorOf(this.#options.server);
    if (listening === undefined) return;
    for (let taken = 0; taken < BATCH; taken++) {
      const fd = acceptNow(listening);
      if (fd === undefined) break;
      this.#take({ fd, received: '', looks: 0 });
    }
    this.#lookAgainLater();
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const { fd } of this.#kept) closeAccepted(fd);
    this.#kept = [];
  }

  #take(one: Kept): void {
    if (this.#isDone(one)) return;
    this.#kept.push(one);
    if (this.#kept.length <= this.#options.most) return;
    const oldest = this.#kept.shift();
    // Its request may have come since the last look.
    if (oldest !== undefined && !this.#isDone(oldest)) closeAccepted(oldest.fd);
  }

  #lookAgainLater(): void {
    if (this.#kept.length === 0 || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#kept = this.#kept.filter((one) => !this.#isDone(one));
      this.relieve();
    }, LOOK_AGAIN_MS);
  }

  /** Reads what has come. True: it is answered, or gone, and closed. */
  #isDone(one: Kept): boolean {
    const length = receiveNow(one.fd, this.#buffer);
    if (length === undefined && one.looks++ < PATIENCE) return false;
    one.received += Buffer.from(this.#buffer.subarray(0, length ?? 0)).toString('latin1');
    const parsed = parseRequest(one.received);
    if (parsed === undefined && length !== undefined && length > 0) return false;
    if (parsed === undefined || parsed === 'bad') closeAccepted(one.fd);
    else {
      const request = { ...parsed.request, keepAlive: false };
      sendAndClose(one.fd, Buffer.from(formatReply(this.#options.answer(request), request)));
    }
    return true;
  }
}

/** Node shows it nowhere else. Without it a crowd is served by Node alone. */
function descriptorOf(server: Server): number | undefined {
  const { _handle: handle } = server as Server & { readonly _handle?: { readonly fd?: number } | null };
  return handle?.fd !== undefined && handle.fd >= 0 ? handle.fd : undefined;
}
