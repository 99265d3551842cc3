/** `weft ui --lab`: a lab with traffic, looked at, that ends with the command. */

import { startDrops, startTraffic, whenPacketsMove } from '../../demo/lab-traffic.ts';
import { BACKENDS, type BackendName } from '../../lab/backends.ts';
import { requireRoot } from '../../lab/command.ts';
import { unlessInterrupted } from '../../lab/interrupt.ts';
import { defaultConfig, startOverlay } from '../../lab/overlay.ts';
import { whenPeersAreKnown } from '../../lab/ready-daemon.ts';
import { withLab } from '../../lab/with-lab.ts';
import { printableLines } from '../../printable.ts';
import type { Ui } from '../../ui/server.ts';

export interface LabRun {
  readonly hosts: number;
  readonly backend: BackendName;
  /** Starts the server for the weftd with this control socket. */
  readonly serve: (controlSocket: string) => Promise<Ui>;
  readonly onReady: (ui: Ui) => void;
  readonly pid: number;
}

/** Runs until a signal ends this process, which removes all of it. */
export async function runLab({ hosts, backend, serve, onReady, pid }: LabRun): Promise<void> {
  requireRoot();
  const log = (line: string): void => void process.stderr.write(`${printableLines(line)}\n`);
  const id = `u${pid.toString(36)}`;
  await withLab({ id, hosts, log }, (lab, signal) =>
    unlessInterrupted(signal, async () => {
      // First: a port that is busy is said at once.
      const ui = await serve(lab.hosts[0]!.controlSocket);
      try {
        const { pods } = await startOverlay(lab, { config: defaultConfig(BACKENDS[backend]), log });
        await whenPeersAreKnown(lab.hosts);
        log('starting pings, a flow of UDP, bursts of TCP, and packets to nobody');
        startTraffic(lab, pods, signal);
        await startDrops(lab, pods);
        await whenPacketsMove(lab, signal);
        onReady(ui);
        log(`This is host 1; meanwhile, for example: weft lab exec --id ${id} h1 -- weft peers`);
        if (!signal.aborted)
          await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      } finally {
        await ui.close();
      }
    }),
  );
}
