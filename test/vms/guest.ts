/** A guest that runs: commands in it, and its end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { AGENT_PORT, type CommandResult, readAnswer } from './agent-protocol.ts';
import { addressOf } from './wire.ts';

/** A program to start, with what it needs beside it. */
export interface Program {
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** To boot, and to shut down: emulated, on a busy machine. Ends what hangs. */
const BOOT_LIMIT_MS = 900_000;
const POLL_MS = 500;
/** A connection that nobody answers. */
const CONNECT_LIMIT_MS = 10_000;
/** Of a console, in messages. */
const LAST_LINES = 15;

export class Guest {
  readonly number: number;
  readonly #console: string;
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  #running = true;

  /** Starts the emulator; `booted` waits for the guest. `console`: the file for what it prints. */
  constructor(number: number, program: Program, console: string) {
    this.number = number;
    this.#console = console;
    const [file = '', ...args] = program.argv;
    const log = openSync(console, 'a');
    const env = { ...process.env, ...program.environment };
    this.#child = spawn(file, args, { stdio: ['ignore', log, log], env });
    closeSync(log);
    this.#exited = new Promise((resolve) => {
      const end = (): void => {
        this.#running = false;
        resolve();
      };
      this.#child.on('error', end).on('exit', end);
    });
  }

  get address(): string {
    return addressOf(this.number);
  }

  /** Resolves when commands can be run. Throws with the last lines of the console. */
  async booted(): Promise<void> {
    const deadline = Date.now() + BOOT_LIMIT_MS;
    for (;;) {
      if (!this.#running) throw new Error(`Guest ${this.number} ended while it booted:\n${this.consoleEnd()}`);
      if (Date.now() > deadline) throw new Error(`Guest ${this.number} did not boot in time:\n${this.consoleEnd()}`);
      const answer = await this.#ask('true', CONNECT_LIMIT_MS).catch(() => undefined);
      if (answer?.code === 0) return;
      await delay(POLL_MS);
    }
  }

  /** Runs a command of bash. Throws when it takes longer, or the guest is gone. */
  try(command: string, limitMs = 300_000): Promise<CommandResult> {
    return this.#ask(command, limitMs);
  }

  /** The same, for a command that has to succeed. Resolves to its output. */
  async run(command: string, limitMs?: number): Promise<string> {
    const { code, output } = await this.try(command, limitMs);
    if (code !== 0)
      throw new Error(`Guest ${this.number}: exit code ${code} of ${firstLine(command)}\n${output.trim()}`);
    return output;
  }

  /** Ends the guest. */
  async kill(): Promise<void> {
    if (this.#running) this.#child.kill('SIGKILL');
    await this.#exited;
  }

  /** Resolves when the guest has switched itself off. Throws with the last lines of the console when it does not. */
  async switchedOff(): Promise<void> {
    await Promise.race([this.#exited, delay(BOOT_LIMIT_MS, undefined, { ref: false })]);
    if (this.#running) throw new Error(`Guest ${this.number} did not switch itself off:\n${this.consoleEnd()}`);
  }

  consoleEnd(): string {
    return readFileSync(this.#console, 'utf8').trimEnd().split('\n').slice(-LAST_LINES).join('\n');
  }

  #ask(command: string, limitMs: number): Promise<CommandResult> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: this.address, port: AGENT_PORT });
      let text = '';
      const fail = (why: string): void => {
        clearTimeout(timer);
        socket.destroy();
        reject(new Error(`Guest ${this.number}: ${why}: ${firstLine(command)}\n${text.trim()}`));
      };
      const timer = setTimeout(() => fail(`no end within ${limitMs / 1000} s`), limitMs);
      socket.setEncoding('utf8');
      socket.on('connect', () => socket.end(command));
      socket.on('data', (chunk: string) => {
        text += chunk;
      });
      socket.on('error', (error) => fail(error.message));
      socket.on('end', () => {
        const answer = readAnswer(text);
        if (answer === undefined) return fail('the answer broke off');
        clearTimeout(timer);
        socket.destroy();
        resolve(answer);
      });
    });
  }
}

function firstLine(command: string): string {
  return command.trim().split('\n', 1)[0] ?? '';
}
