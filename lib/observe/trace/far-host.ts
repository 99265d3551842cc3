/** The other host: `weft trace-points` runs there, by ssh, or in a network namespace of this machine. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { messageOf, WeftError } from '../../error.ts';
import { type FarReply, type FarRequest, type FarTables, parseReply } from './far-protocol.ts';
import type { Point } from './model.ts';
import type { Probe } from './probe.ts';
import type { Situation } from './situation.ts';
import type { Tables } from './tables.ts';

export interface FarHost extends FarTables {
  /** Resolves when the other host looks. */
  readonly watch: (probe: Probe) => Promise<void>;
  readonly points: () => Promise<readonly Point[]>;
  readonly close: () => void;
}

const NETNS = 'netns:';
/** Our choice: an ssh that has to ask for its server's name takes a while. */
const ANSWER_MS = 10_000;

/** Throws WeftError FAR_FAILED; USAGE for a host that is none. */
export async function openFarHost(host: string, situation: Situation, tables: Tables): Promise<FarHost> {
  const far = new FarProcess(host);
  try {
    const reply = await far.ask({
      ask: 'setup',
      setup: {
        wire: tables.wire,
        overlayDevice: tables.overlayDevice,
        source: tables.source,
        destination: situation.destination,
        protocol: 'icmp',
        near: tables.ownAddress ?? 0,
        far: tables.peerAddress ?? 0,
        network: situation.report?.network?.ipv4,
        vtepMac: situation.peer?.vtepMac ?? null,
      },
    });
    if (!('tables' in reply)) throw far.failure('it does not say what its tables are');
    return {
      ...reply.tables,
      watch: async (probe) => {
        await far.ask({ ask: 'watch', probe });
      },
      points: async () => {
        const points = await far.ask({ ask: 'points' });
        return 'points' in points ? points.points : [];
      },
      close: () => far.close(),
    };
  } catch (error) {
    far.close();
    throw error;
  }
}

/** The command and its arguments. The name of the host is the user's, and goes behind "--". */
function farCommand(host: string): readonly [string, ...string[]] {
  if (host === '' || host.startsWith('-')) throw new WeftError('USAGE', `"${host}" is no name of a host`);
  if (!host.startsWith(NETNS))
    return ['ssh', '-o', 'BatchMode=yes', '-o', 'ConnectTimeout=3', '--', host, 'weft', 'trace-points'];
  const program = process.argv[1] ?? 'weft';
  return ['ip', 'netns', 'exec', host.slice(NETNS.length), process.execPath, program, 'trace-points'];
}

class FarProcess {
  readonly #host: string;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: string[] = [];
  #wake: () => void = () => {};
  #ended: string | undefined;
  #stderr = '';

  constructor(host: string) {
    this.#host = host;
    const [program, ...args] = farCommand(host);
    this.#child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      this.#lines.push(line);
      this.#wake();
    });
    this.#child.stderr.on('data', (chunk: Buffer) => {
      if (this.#stderr.length < 4096) this.#stderr += chunk.toString('utf8');
    });
    // That it is gone is said when it is asked.
    this.#child.stdin.on('error', () => {});
    this.#child.on('error', (error) => this.#end(messageOf(error)));
    this.#child.on('close', (code) =>
      this.#end(this.#stderr.trim().split('\n').at(-1) || `it ended with code ${code}`),
    );
  }

  #end(why: string): void {
    this.#ended ??= why;
    this.#wake();
  }

  async ask(request: FarRequest): Promise<FarReply> {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    const signal = AbortSignal.timeout(ANSWER_MS);
    signal.addEventListener('abort', () => this.#wake());
    while (this.#lines.length === 0 && this.#ended === undefined && !signal.aborted)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    const line = this.#lines.shift();
    if (line === undefined) throw this.failure(this.#ended ?? `no answer within ${ANSWER_MS / 1000} s`);
    const reply = parseReply(line, this.#host);
    if ('error' in reply) throw this.failure(reply.error.message);
    return reply;
  }

  failure(why: string): WeftError {
    return new WeftError('FAR_FAILED', `Cannot look at ${this.#host}: ${why}`, {
      hint: this.#host.startsWith(NETNS)
        ? 'see "ip netns list"'
        : `weft has to be in the PATH there, and "ssh -o BatchMode=yes ${this.#host} weft --version" to work`,
    });
  }

  close(): void {
    this.#child.stdin.end();
    this.#child.kill('SIGTERM');
  }
}
