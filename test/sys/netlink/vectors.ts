import { readFileSync } from 'node:fs';

interface Vector {
  readonly command: string;
  readonly hex: string;
}

/** What iproute2 sent and the kernel answered: test/vectors/netlink/README.md. */
export function netlinkVectors(): {
  readonly requests: Readonly<Record<string, Vector>>;
  readonly answers: Readonly<Record<string, Vector>>;
} {
  const file = new URL('../../../../test/vectors/netlink/iproute2.json', import.meta.url);
  // The shape of the file as checked in.
  return JSON.parse(readFileSync(file, 'utf8')) as ReturnType<typeof netlinkVectors>;
}

export function bytesOf(vector: Vector | undefined): Uint8Array {
  if (vector === undefined) throw new Error('no such vector');
  return Uint8Array.from(Buffer.from(vector.hex, 'hex'));
}
