import { MessageReader } from '../../lib/sys/message-reader.ts';

export interface Datagram {
  readonly payload: Uint8Array;
  /** First byte of each ancillary datum, by "level:type". */
  readonly control: ReadonlyMap<string, number>;
}

/** A datagram with its ancillary data; undefined when nothing waits at a non-blocking socket. */
export function receive(fd: number): Datagram | undefined {
  const reader = new MessageReader(4096);
  const length = reader.receive(fd, 0);
  if (length < 0) return undefined;
  const { view, start } = reader;
  const control = new Map([...reader.controls()].map(({ level, type, at }) => [`${level}:${type}`, view.getUint8(at)]));
  return { payload: new Uint8Array(view.buffer).slice(start, start + length), control };
}
