/** A health server in a process of its own, for health-crowd.test.ts: prints its port. */
import { createServer } from 'node:net';
import { serveHealth } from '../../lib/daemon/health.ts';

// A port that was free a moment ago.
const server = createServer().listen(0, '127.0.0.1', () => {
  const { port } = server.address() as { port: number };
  server.close(() => {
    void serveHealth('127.0.0.1', port, () => []).then(() => process.stdout.write(`${port}\n`));
  });
});
