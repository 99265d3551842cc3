/** What one reader gets of what is recorded for all: its own sample, its own length, its own network, and what it has lost. */
import { encodeTapLoss, encodeTapRecord, type RawTapRecord, type TapLoss } from '../control/tap-messages.ts';
import { TAP_VERDICTS, type TapRequest } from '../control/tap-protocol.ts';

/** Our choice: what waits for one reader at most; about a thousand records. */
const MOST_WAITING = 256 * 1024;

const FORWARDED = TAP_VERDICTS.indexOf('forwarded');
const DROPPED = TAP_VERDICTS.indexOf('dropped');

export class Reader {
  readonly #request: TapRequest;
  /** Number of the network it asked for. */
  readonly #network: number | undefined;
  #batch: Uint8Array[] = [];
  #batchBytes = 0;
  /** Forwarded packets that the records stood for since the last it was given. */
  #passed = 0;
  #lost = 0;
  #sent = 0;
  #lostSaid = 0;

  constructor(request: TapRequest, network: number | undefined) {
    this.#request = request;
    this.#network = network;
  }

  get loss(): TapLoss {
    return { lost: this.#lost, sent: this.#sent };
  }

  /** `sample`: a forwarded packet was recorded of so many. `waiting`: bytes that the reader has not taken yet. */
  offer(record: RawTapRecord, sample: number, waiting: number): void {
    if (this.#network !== undefined && record.network !== this.#network) return;
    if (!this.#isWanted(record, sample)) return;
    if (waiting + this.#batchBytes > MOST_WAITING) {
      this.#lost++;
      return;
    }
    this.#sayLoss();
    this.#push(encodeTapRecord(record, this.#request.snapLength));
    this.#sent++;
  }

  /** Records that the worker had no room for. */
  missed(records: number): void {
    this.#lost += records;
  }

  /** What is to be sent now. */
  take(waiting: number): Uint8Array | undefined {
    if (waiting <= MOST_WAITING) this.#sayLoss();
    return this.#flush();
  }

  /** The last that is sent. */
  end(): Uint8Array {
    this.#push(encodeTapLoss('end', this.loss));
    return this.#flush()!;
  }

  #isWanted({ verdict }: RawTapRecord, sample: number): boolean {
    if (this.#request.droppedOnly === true) return verdict === DROPPED;
    if (verdict !== FORWARDED) return true;
    this.#passed += sample;
    if (this.#passed < this.#request.sample) return false;
    this.#passed -= this.#request.sample;
    return true;
  }

  #sayLoss(): void {
    if (this.#lost === this.#lostSaid) return;
    this.#lostSaid = this.#lost;
    this.#push(encodeTapLoss('lost', this.loss));
  }

  #push(message: Uint8Array): void {
    this.#batch.push(message);
    this.#batchBytes += message.length;
  }

  #flush(): Uint8Array | undefined {
    if (this.#batchBytes === 0) return undefined;
    const bytes = Buffer.concat(this.#batch);
    this.#batch = [];
    this.#batchBytes = 0;
    return bytes;
  }
}

/** What the widest of the readers want: the sample (undefined: no forwarded packets) and the bytes of each. */
export function widest(requests: readonly TapRequest[]): { sample: number | undefined; snapLength: number } {
  const samples = requests.filter(({ droppedOnly }) => droppedOnly !== true).map(({ sample }) => sample);
  return {
    sample: samples.length === 0 ? undefined : Math.min(...samples),
    snapLength: Math.max(0, ...requests.map(({ snapLength }) => snapLength)),
  };
}
