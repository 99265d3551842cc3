/** A tap without a data plane: its protocol, and records by hand. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { encodeTapClock, NO_REASON, type RawTapRecord } from '../../lib/control/tap-messages.ts';
import { TAP_VERSION, type TapReply, type TapRequest } from '../../lib/control/tap-protocol.ts';
import { tapRecord } from '../control/tap-record.ts';
import { ECHO, TIME } from './records.ts';

export interface FakeTap {
  readonly path: string;
  readonly requests: TapRequest[];
  /** To all who read. */
  send(...records: readonly Partial<RawTapRecord>[]): void;
  /** Ends all connections. */
  cut(): void;
}

const REASONS = ['no-route', 'ttl-expired'];

/** `answer`: what is sent instead of the reply, for whoever comes while it says something. */
export async function serveTap(
  t: ExecutionContext,
  answer: () => object | undefined = () => undefined,
): Promise<FakeTap> {
  const directory = mkdtempSync(join(tmpdir(), 'weft-ui-tap-'));
  const path = join(directory, 'tap.sock');
  const requests: TapRequest[] = [];
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.once('data', (line) => {
      const refusal = answer();
      if (refusal !== undefined) return void socket.end(`${JSON.stringify(refusal)}\n`);
      const request = JSON.parse(line.toString()) as TapRequest;
      const networks = [{ number: 0, name: '', linkType: 101 as const }];
      const reply: TapReply = {
        version: TAP_VERSION,
        networks,
        reasons: REASONS,
        sample: request.sample,
        snapLength: request.snapLength,
      };
      socket.write(`${JSON.stringify(reply)}\n`);
      socket.write(encodeTapClock(TIME));
      sockets.add(socket);
      requests.push(request);
    });
    socket.on('end', () => {
      sockets.delete(socket);
      socket.end();
    });
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    rmSync(directory, { recursive: true });
  });
  return {
    path,
    requests,
    send: (...records) => {
      const bytes = Buffer.concat(records.map((record) => tapRecord({ ...ECHO_RECORD, ...record }, TIME)));
      for (const socket of sockets) socket.write(bytes);
    },
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}

const ECHO_RECORD: RawTapRecord = {
  network: 0,
  inbound: false,
  verdict: 0,
  reason: NO_REASON,
  peer: Uint8Array.of(192, 0, 2, 2),
  trainPackets: 1,
  trainIndex: 0,
  superPacket: false,
  gsoSize: 0,
  packets: 1,
  timeIn: TIME + 1_000_000n,
  timeOut: TIME + 1_050_000n,
  bytes: new Uint8Array(ECHO),
  length: 84,
  ethernet: false,
};
