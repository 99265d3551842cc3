/** flannel's health endpoint: GET /healthz and /readyz with flannel's own words. flannel main.go, mustRunHealthz. */
import type { Server } from 'node:http';
import { closeServer, createBoundedServer } from '../control/http.ts';
import { messageOf, WeftError } from '../error.ts';
import { printable } from './log.ts';

export interface HealthServer {
  close(): Promise<void>;
}

/**
 * `notReady`: a line for each network that cannot pass packets, with its name and the reason; in the body after flannel's words.
 * Throws WeftError HEALTHZ_REFUSED when the address cannot be listened on.
 */
export async function serveHealth(ip: string, port: number, notReady: () => readonly string[]): Promise<HealthServer> {
  const server = createBoundedServer((request, response) => {
    const [status, text] = answer(request.method, request.url, notReady);
    response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
    response.end(request.method === 'HEAD' ? undefined : text);
  });
  await listen(server, ip, port);
  return { close: () => closeServer(server) };
}

function answer(
  method: string | undefined,
  url: string | undefined,
  notReady: () => readonly string[],
): [number, string] {
  const path = url?.split('?', 1)[0];
  if (path !== '/healthz' && path !== '/readyz') return [404, '404 page not found\n'];
  if (method !== 'GET' && method !== 'HEAD') return [405, 'method not allowed\n'];
  if (path === '/healthz') return [200, 'flanneld is running'];
  const reasons = notReady();
  if (reasons.length === 0) return [200, 'flanneld is ready'];
  return [503, ['flanneld is not ready yet', ...reasons.map(printable)].join('\n')];
}

function listen(server: Server, ip: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.on('error', (error) => {
      const message = `Cannot serve health checks on ${ip}:${port}: ${messageOf(error)}`;
      const hint = 'choose another -healthz-ip or -healthz-port';
      reject(new WeftError('HEALTHZ_REFUSED', message, { cause: error, hint }));
    });
    server.listen(port, ip, resolve);
  });
}
