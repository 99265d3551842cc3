import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { type ControlHandlers, serveControl } from '../../lib/control/server.ts';
import { FDB, NEIGH, PEERS, ROUTES, STATS, STATUS } from './replies.ts';

const READY: ControlHandlers = {
  '/v1/status': () => STATUS,
  '/v1/peers': () => PEERS,
  '/v1/routes': () => ROUTES,
  '/v1/stats': () => STATS,
  '/v1/fdb': () => FDB,
  '/v1/neigh': () => NEIGH,
};

/** A real control server with the given answers; returns its socket. */
export async function serveReplies(t: ExecutionContext, handlers: Partial<ControlHandlers> = {}): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'weft-cli-'));
  const path = join(directory, 'weft.sock');
  const server = await serveControl(path, { ...READY, ...handlers });
  t.teardown(async () => {
    await server.close();
    rmSync(directory, { recursive: true });
  });
  return path;
}
