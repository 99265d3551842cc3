/** Reads etcd watches off an HTTP/2 wire, and can cut it right behind the reply that a watch was created. */
import type { Tap } from '../../tcp-proxy.ts';

const PREFACE_LENGTH = 24;
const FRAME_HEADER_LENGTH = 9;
const FRAME_DATA = 0;
const FLAG_PADDED = 8;

/** Cuts a byte stream into HTTP/2 frames (RFC 9113 §4.1) and the DATA frames into gRPC messages. */
class Frames {
  #pending = Buffer.alloc(0);
  #skip: number;
  readonly #messages = new Map<number, Buffer>();

  constructor(skip: number) {
    this.#skip = skip;
  }

  /** Calls back for each whole gRPC message with the offset in `chunk` behind its last frame. */
  read(chunk: Buffer, onMessage: (stream: number, message: Buffer, offset: number) => void): void {
    const before = this.#pending.length;
    this.#pending = Buffer.concat([this.#pending, chunk]);
    let at = Math.min(this.#skip, this.#pending.length);
    this.#skip -= at;
    while (this.#pending.length - at >= FRAME_HEADER_LENGTH) {
      const end = at + FRAME_HEADER_LENGTH + this.#pending.readUIntBE(at, 3);
      if (end > this.#pending.length) break;
      if (this.#pending[at + 3] === FRAME_DATA) {
        if ((this.#pending[at + 4]! & FLAG_PADDED) !== 0)
          throw new Error('a padded frame, which this reader does not know');
        const stream = this.#pending.readUInt32BE(at + 5) & 0x7fffffff;
        const data = this.#pending.subarray(at + FRAME_HEADER_LENGTH, end);
        for (const message of this.#take(stream, data)) onMessage(stream, message, end - before);
      }
      at = end;
    }
    this.#pending = this.#pending.subarray(at);
  }

  /** gRPC: one byte of flags, four of length, the message. */
  #take(stream: number, data: Buffer): Buffer[] {
    let rest = Buffer.concat([this.#messages.get(stream) ?? Buffer.alloc(0), data]);
    const messages: Buffer[] = [];
    while (rest.length >= 5 && rest.length >= 5 + rest.readUInt32BE(1)) {
      const end = 5 + rest.readUInt32BE(1);
      messages.push(rest.subarray(5, end));
      rest = rest.subarray(end);
    }
    this.#messages.set(stream, rest);
    return messages;
  }
}

export class WatchTaps {
  /** start_revision of every watch that was created. */
  readonly asked: string[] = [];
  /** How many of the next `created` replies the wire is cut behind. */
  cuts = 0;

  tap(): Tap {
    const requests = new Map<number, Buffer>();
    const fromClient = new Frames(PREFACE_LENGTH);
    const fromServer = new Frames(0);
    return {
      fromClient: (chunk) =>
        fromClient.read(chunk, (stream, message) => {
          if (!requests.has(stream)) requests.set(stream, message);
        }),
      fromServer: (chunk) => {
        let allowed: number | undefined;
        fromServer.read(chunk, (stream, message, offset) => {
          // WatchResponse.created is field 3, and no other answer that Weft receives has a 1 there.
          if (field(message, 3) !== 1n) return;
          // WatchRequest.create_request is field 1, its start_revision field 3.
          const create = field(requests.get(stream) ?? Buffer.alloc(0), 1);
          this.asked.push(create instanceof Buffer ? String(field(create, 3)) : 'nothing');
          if (allowed === undefined && this.cuts > 0) {
            this.cuts--;
            allowed = offset;
          }
        });
        return allowed;
      },
    };
  }
}

/** The first occurrence of a protobuf field: a varint or bytes. Knows no other wire types, since these messages have none. */
function field(message: Buffer, wanted: number): bigint | Buffer | undefined {
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at++] ?? 0;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.length) {
    const tag = Number(varint());
    const length = tag % 8 === 2 ? Number(varint()) : undefined;
    const value = length === undefined ? varint() : message.subarray(at, at + length);
    at += length ?? 0;
    if (tag >> 3 === wanted) return value;
  }
  return undefined;
}
