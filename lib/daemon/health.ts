/** flannel's health endpoint: GET /healthz and /readyz with flannel's own words. flannel main.go, mustRunHealthz. */
import type { Server } from 'node:net';
import { BACKLOG, BoundedServer, descriptorLimit } from '../control/bounded-server.ts';
import type { HttpReply, HttpRequest } from '../control/http.ts';
import { messageOf, WeftError } from '../error.ts';
import { printable } from '../printable.ts';
import { Crowd } from './crowd.ts';

/** Our choice: a kubelet needs one or two. */
const MOST_CONNECTIONS = 128;
/** Our choice: of a crowd, which costs a descriptor and a few bytes each. The more, the longer a slow probe has for its request. */
const MOST_OF_CROWD = 2048;
/** Strangers from one address leave some room for all others. */
const PART_OF_SOURCE = 0.75;

export interface HealthServer {
  close(): Promise<void>;
}

/**
 * `notReady`: a line for each network that cannot pass packets, with its name and the reason; in the body after flannel's words.
 * Throws WeftError HEALTHZ_REFUSED when the address cannot be listened on.
 */
export async function serveHealth(ip: string, port: number, notReady: () => readonly string[]): Promise<HealthServer> {
  const reply = ({ method, target }: HttpRequest): HttpReply => {
    const [status, text] = answer(method, target, notReady);
    return { status, contentType: 'text/plain; charset=utf-8', text };
  };
  const limit = descriptorLimit();
  const most = Math.min(MOST_CONNECTIONS, Math.max(4, Math.floor(limit / 8)));
  const mostOfCrowd = Math.min(MOST_OF_CROWD, Math.max(4, Math.floor(limit / 4)));
  const bounded: BoundedServer = new BoundedServer({
    answer: reply,
    most,
    mostOfSource: Math.ceil(most * PART_OF_SOURCE),
    onCrowd: () => crowd.relieve(),
  });
  const crowd = new Crowd({ server: bounded.server, answer: reply, most: mostOfCrowd });
  await listen(bounded.server, ip, port);
  const close = (): Promise<void> => {
    crowd.close();
    return bounded.close();
  };
  return { close };
}

function answer(method: string, target: string, notReady: () => readonly string[]): [number, string] {
  const path = target.split('?', 1)[0];
  if (path !== '/healthz' && path !== '/readyz') return [404, '404 page not found\n'];
  if (method !== 'GET' && method !== 'HEAD') return [405, 'method not allowed\n'];
  if (path === '/healthz') return [200, 'flanneld is running'];
  const reasons = notReady();
  if (reasons.length === 0) return [200, 'flanneld is ready'];
  return [503, ['flanneld is not ready yet', ...reasons.map((reason) => printable(reason))].join('\n')];
}

function listen(server: Server, ip: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.on('error', (error) => {
      const message = `Cannot serve health checks on ${ip}:${port}: ${messageOf(error)}`;
      const hint = 'choose another -healthz-ip or -healthz-port';
      reject(new WeftError('HEALTHZ_REFUSED', message, { cause: error, hint }));
    });
    server.listen({ port, host: ip, backlog: BACKLOG }, resolve);
  });
}
