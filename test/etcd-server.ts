/**
 * A real etcd for tests: one member on loopback with its data in a temporary directory. Several may run at once.
 *
 *   const etcd = await startEtcd();
 *   t.teardown(() => etcd.stop());
 *
 * etcd dies with the test process, however that ends (PR_SET_PDEATHSIG); its directory is removed by `stop` and, at the
 * latest, when the process exits in order.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { PATIENCE_MS } from './patience.ts';

export interface EtcdServerOptions {
  /** Files for https; without it etcd speaks plain http. `clientCaFile` makes client certificates mandatory. */
  readonly tls?: { readonly certFile: string; readonly keyFile: string; readonly clientCaFile?: string };
  /** Further command-line arguments, for example ['--auth-token-ttl', '1']. */
  readonly args?: readonly string[];
}

/** Below the range of ephemeral ports, so that no outgoing connection takes our port while etcd restarts. */
const FIRST_PORT = 20_000;
const PORTS = 12_000;

const started = new Set<EtcdServer>();

function removeAll(): void {
  for (const server of started) server.removeNow();
}

export async function startEtcd(options: EtcdServerOptions = {}): Promise<EtcdServer> {
  for (let attempt = 1; ; attempt++) {
    const server = new EtcdServer(options, await freePort(), await freePort());
    try {
      await server.restart();
      return server;
    } catch (error) {
      await server.stop();
      // Somebody else took a port between the probe and etcd's bind.
      if (attempt === 5 || !String(error).includes('address already in use')) throw error;
    }
  }
}

export class EtcdServer {
  readonly clientPort: number;
  /** "http://127.0.0.1:PORT" or "https://...", without a trailing slash. */
  readonly endpoint: string;
  readonly #options: EtcdServerOptions;
  readonly #peerPort: number;
  readonly #directory = mkdtempSync(join(tmpdir(), `weft-etcd-${process.pid}-`));
  #process: ChildProcess | undefined;
  #log = '';

  constructor(options: EtcdServerOptions, clientPort: number, peerPort: number) {
    this.#options = options;
    this.clientPort = clientPort;
    this.#peerPort = peerPort;
    this.endpoint = `${options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${clientPort}`;
    if (started.size === 0) process.once('exit', removeAll);
    started.add(this);
  }

  get pid(): number {
    if (!this.#running || this.#process?.pid === undefined) throw new Error('etcd is not running');
    return this.#process.pid;
  }

  get #running(): boolean {
    return this.#process !== undefined && this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** Starts etcd on the same ports and data, after killing it if it runs. Resolves when it serves clients. */
  async restart(): Promise<void> {
    await this.kill();
    this.#log = '';
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', 'etcd', ...this.#arguments()], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#process = child;
    await this.#ready(child);
  }

  /** As `restart`, but with no data: etcd set up anew. */
  async eraseAndRestart(): Promise<void> {
    await this.kill();
    rmSync(join(this.#directory, 'member'), { recursive: true, force: true });
    await this.restart();
  }

  /** SIGKILL; resolves when the process is gone. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** SIGTERM; resolves when the process is gone. */
  async terminate(): Promise<void> {
    await this.#end('SIGTERM');
  }

  /** SIGSTOP: the kernel goes on accepting connections, nobody answers them. */
  pause(): void {
    process.kill(this.pid, 'SIGSTOP');
  }

  /** SIGCONT. */
  resume(): void {
    process.kill(this.pid, 'SIGCONT');
  }

  /** Ends etcd and removes its data. */
  async stop(): Promise<void> {
    await this.kill();
    this.removeNow();
    if (started.size === 0) process.removeListener('exit', removeAll);
  }

  /** As `stop`, but without waiting, for the end of the process. */
  removeNow(): void {
    if (this.#running) this.#process?.kill('SIGKILL');
    rmSync(this.#directory, { recursive: true, force: true });
    started.delete(this);
  }

  /** Runs etcdctl (API version 3) against this server and returns its standard output. */
  async etcdctl(...args: readonly string[]): Promise<string> {
    const tls = this.#options.tls === undefined ? [] : ['--insecure-skip-tls-verify', '--insecure-transport=false'];
    const env = { ...process.env, ETCDCTL_API: '3' };
    const { stdout } = await promisify(execFile)('etcdctl', ['--endpoints', this.endpoint, ...tls, ...args], { env });
    return stdout;
  }

  #arguments(): string[] {
    const peer = `http://127.0.0.1:${this.#peerPort}`;
    const { tls } = this.#options;
    const flags: Record<string, string> = {
      name: 'default',
      'data-dir': this.#directory,
      logger: 'zap',
      'log-outputs': 'stderr',
      'listen-client-urls': this.endpoint,
      'advertise-client-urls': this.endpoint,
      'listen-peer-urls': peer,
      'initial-advertise-peer-urls': peer,
      'initial-cluster': `default=${peer}`,
      // A single member elects itself: short timeouts make it ready in a fraction of a second.
      'heartbeat-interval': '20',
      'election-timeout': '200',
      ...(tls === undefined ? {} : { 'cert-file': tls.certFile, 'key-file': tls.keyFile }),
      ...(tls?.clientCaFile === undefined ? {} : { 'client-cert-auth': 'true', 'trusted-ca-file': tls.clientCaFile }),
    };
    return [...Object.entries(flags).map(([name, value]) => `--${name}=${value}`), ...(this.#options.args ?? [])];
  }

  async #ready(child: ChildProcess): Promise<void> {
    const timeout = AbortSignal.timeout(PATIENCE_MS);
    await new Promise<void>((resolve, reject) => {
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        this.#log = (this.#log + text).slice(-20_000);
        if (this.#log.includes('"msg":"serving client traffic')) resolve();
      });
      const fail = (what: string) => reject(new Error(`${what}: ${this.#log.slice(-2000)}`));
      child.once('error', (error) => fail(`etcd did not start (${error.message})`));
      child.once('close', () => fail('etcd ended'));
      timeout.addEventListener('abort', () => fail(`etcd was not ready after ${PATIENCE_MS} ms`), { once: true });
    });
  }

  async #end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#process;
    if (child === undefined || !this.#running) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }
}

async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORTS);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true));
    });
    server.close();
    if (free) return port;
  }
}
