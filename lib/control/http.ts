/** The HTTP server of the control socket and of /healthz: few readers, short requests, everything bounded. */
import { createServer, type RequestListener, type Server } from 'node:http';

/** Our choice: requests are short, and a client that hangs is cut. */
const REQUEST_TIMEOUT_MS = 5000;
const MAX_CONNECTIONS = 64;

/** It does not listen yet. */
export function createBoundedServer(answer: RequestListener): Server {
  const server = createServer(answer);
  server.headersTimeout = REQUEST_TIMEOUT_MS;
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.maxConnections = MAX_CONNECTIONS;
  return server;
}

/** Stops listening and cuts what is connected. */
export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
