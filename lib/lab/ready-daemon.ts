import { setTimeout as delay } from 'node:timers/promises';
import { askDaemon } from '../control/client.ts';
import type { StatusReply } from '../control/protocol.ts';
import { WeftError } from '../error.ts';
import { startDaemon } from './daemon.ts';
import type { Lab, LabHost } from './model.ts';
import type { LabProcess } from './netns.ts';
import { until } from './until.ts';

/** Our choice, as all limits here: a busy machine takes many seconds for what else takes one, and only what hangs takes longer. */
const READY_WITHIN_MS = 60_000;
const PEERS_WITHIN_MS = 60_000;
const POLL_MS = 10;

export interface ReadyDaemon {
  readonly process: LabProcess;
  /** From the start of the process until its status says ready; looked at every 10 ms. */
  readonly seconds: number;
  readonly status: StatusReply;
}

/** Starts weftd on a host of the lab and waits until it says that packets flow. Codes: DAEMON_FAILED, TIMEOUT. */
export async function startReadyDaemon(lab: Lab, host: LabHost, args: readonly string[] = []): Promise<ReadyDaemon> {
  const start = performance.now();
  const process = await startDaemon(lab, host, args);
  try {
    for (;;) {
      const status = await askDaemon(host.controlSocket, '/v1/status');
      const elapsedMs = performance.now() - start;
      if (status.state === 'ready') return { process, seconds: elapsedMs / 1000, status };
      if (elapsedMs > READY_WITHIN_MS) {
        throw new WeftError('TIMEOUT', `weftd on ${host.netns} is still ${status.state} after ${READY_WITHIN_MS} ms`);
      }
      await delay(POLL_MS);
    }
  } catch (error) {
    await process.stop();
    throw error;
  }
}

/** Waits until the daemon of each host knows a peer, at most a minute. Resolves to their statuses, which say whether it does. */
export async function whenPeersAreKnown(hosts: readonly LabHost[]): Promise<StatusReply[]> {
  let statuses: StatusReply[] = [];
  await until(async () => {
    statuses = await Promise.all(hosts.map((host) => askDaemon(host.controlSocket, '/v1/status')));
    return statuses.every(({ peers }) => peers > 0);
  }, PEERS_WITHIN_MS);
  return statuses;
}
