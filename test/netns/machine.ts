/**
 * A host of a lab as a machine of its own, for commands as documents and provisioning scripts have them: /run, /var/lib and
 * /etc/netns are the host's, empty at first, so that /run/flannel/subnet.env and `ip netns add pod` of several hosts do not meet.
 *
 *   const node = new Machine(t, lab.hosts[0].netns, programs);
 *   const shell = node.shell();
 *   await shell.type('. /run/flannel/subnet.env');
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { ExecutionContext } from 'ava';

/** Generous: nothing here is about speed. */
const LIMIT_MS = 120_000;

/** Own mounts, which end with the last process in them. /usr and the checkout are the machine's that the test runs on. */
const PREPARE = `
mount -t tmpfs run /run && mount -t tmpfs lib /var/lib && mkdir -p /run/netns
echo prepared
exec sleep infinity
`;

export class Machine {
  readonly #holder: ChildProcess;
  readonly #prepared: Promise<unknown>;
  readonly #path: string;
  readonly #shells: Shell[] = [];

  /** `programs`: a folder that comes first in PATH, for stand-ins such as sudo. */
  constructor(t: ExecutionContext, netns: string, programs: string) {
    this.#path = `${programs}:${process.env.PATH ?? ''}`;
    const argv = ['netns', 'exec', netns, 'unshare', '--mount', 'sh', '-c', PREPARE];
    this.#holder = spawn('ip', argv, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#prepared = once(this.#holder.stdout!, 'data');
    // From now on: the end of the lab ends what runs in it.
    const ended = once(this.#holder, 'close');
    t.teardown(async () => {
      for (const shell of this.#shells) await shell.end();
      this.#holder.kill('SIGKILL');
      await ended;
    });
  }

  /** Another terminal. */
  async shell(): Promise<Shell> {
    await this.#prepared;
    // --root: the test may run in a chroot, which another mount namespace would lead out of.
    const namespaces = ['--target', String(this.#holder.pid), '--mount', '--net', '--root', '--wd'];
    const shell = new Shell(
      spawn('nsenter', [...namespaces, 'bash', '--norc'], {
        stdio: ['pipe', 'pipe', 'pipe'],
        env: { ...process.env, PATH: this.#path },
        // A process group, so that what it started ends with it.
        detached: true,
      }),
    );
    this.#shells.push(shell);
    return shell;
  }
}

export interface Typed {
  readonly code: number;
  /** Standard output and standard error, as a terminal shows them. */
  readonly text: string;
}

export class Shell {
  readonly #child: ChildProcess;
  #text = '';
  #onText = (): void => {};
  #count = 0;
  readonly #ended: Promise<unknown>;

  constructor(child: ChildProcess) {
    this.#child = child;
    this.#ended = once(child, 'close');
    child.stdin?.write('exec 2>&1\n');
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#text += text;
      this.#onText();
    });
  }

  /** What has been printed since the last line that ended. */
  get text(): string {
    return this.#text;
  }

  /** Types a line and waits for its end. */
  async type(line: string): Promise<Typed> {
    const mark = `end-of-${++this.#count}`;
    this.start(`${line}\necho "${mark} $?"`);
    const pattern = new RegExp(`${mark} (\\d+)\\n`);
    await this.shows(pattern, line);
    const [all, code] = pattern.exec(this.#text) ?? ['', '1'];
    return { code: Number(code), text: this.#text.slice(0, this.#text.indexOf(all)) };
  }

  /** Types a line that runs on, as in a terminal of its own. */
  start(line: string): void {
    this.#text = '';
    this.#child.stdin?.write(`${line}\n`);
  }

  /** Waits until something has been printed since the last line was typed. */
  async shows(pattern: RegExp, what: string = String(pattern)): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`waited ${LIMIT_MS} ms in vain for ${what}; the terminal shows:\n${this.#text}`)),
        LIMIT_MS,
      );
      this.#onText = () => {
        if (!pattern.test(this.#text)) return;
        clearTimeout(timer);
        resolve();
      };
      this.#onText();
    });
  }

  /** Ends the shell and what it started: SIGTERM first, so that a weftd takes its device down. */
  async end(): Promise<void> {
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      try {
        process.kill(-this.#child.pid!, signal);
      } catch {
        break; // Nobody is left.
      }
      if (signal === 'SIGTERM')
        await Promise.race([this.#ended, new Promise((resolve) => setTimeout(resolve, 3000).unref())]);
    }
    await this.#ended;
  }
}
