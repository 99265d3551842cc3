/** flannel's health endpoint: GET /healthz and /readyz with flannel's own words. flannel main.go, mustRunHealthz. */
import { createServer, type Server } from 'node:http';
import { messageOf, WeftError } from '../error.ts';

/** Our choice: probes are short. */
const REQUEST_TIMEOUT_MS = 5000;
const MAX_CONNECTIONS = 64;

export interface HealthServer {
  close(): Promise<void>;
}

/** Throws WeftError HEALTHZ_REFUSED when the address cannot be listened on. */
export async function serveHealth(ip: string, port: number, isReady: () => boolean): Promise<HealthServer> {
  const server = createServer((request, response) => {
    const [status, text] = answer(request.method, request.url, isReady);
    response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
    response.end(request.method === 'HEAD' ? undefined : text);
  });
  server.headersTimeout = REQUEST_TIMEOUT_MS;
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.maxConnections = MAX_CONNECTIONS;
  await listen(server, ip, port);
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answer(method: string | undefined, url: string | undefined, isReady: () => boolean): [number, string] {
  const path = url?.split('?', 1)[0];
  if (path !== '/healthz' && path !== '/readyz') return [404, '404 page not found\n'];
  if (method !== 'GET' && method !== 'HEAD') return [405, 'method not allowed\n'];
  if (path === '/healthz') return [200, 'flanneld is running'];
  return isReady() ? [200, 'flanneld is ready'] : [503, 'flanneld is not ready yet'];
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
