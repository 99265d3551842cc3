/** The commands of docs/tutorial.md as a reader types them, one block at a time in one shell. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** What stands between "```sh" and "```": the lab's way. What only virtual machines have is in blocks of another kind. */
export function blocksOf(text: string): string[] {
  return [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block]) => block!.trimEnd());
}

export function tutorialBlocks(): string[] {
  return blocksOf(readFileSync('docs/tutorial.md', 'utf8'));
}

export interface Ran {
  readonly block: string;
  readonly code: number;
  /** Standard output and standard error, as they came. */
  readonly output: string;
}

/** A shell with the variables and functions of the blocks before. */
export class TutorialShell {
  readonly #shell: ChildProcessWithoutNullStreams;
  readonly #marker = `end-of-block-${process.pid}`;
  #output = '';
  #look: () => void = () => undefined;
  #ended: (error: Error) => void = () => undefined;

  /** `lab`: its id; the tests run as root, and without sudo. */
  constructor(lab: string) {
    const env = { ...process.env, WEFT_LAB: lab, NO_COLOR: '1', COLUMNS: '80' };
    this.#shell = spawn('sh', [], { env, stdio: ['pipe', 'pipe', 'pipe'] });
    for (const stream of [this.#shell.stdout, this.#shell.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text;
        this.#look();
      });
    this.#shell.once('close', () => this.#ended(new Error(`the shell has ended: ${this.#output}`)));
    this.#shell.stdin.write('exec 2>&1\nsudo() { "$@"; }\n');
  }

  /** Its last command's code: of a block whose commands fail in between, the first one's that does. */
  run(block: string): Promise<Ran> {
    this.#output = '';
    return new Promise((resolve, reject) => {
      this.#look = () => {
        const end = new RegExp(`${this.#marker} (\\d+)\\n`).exec(this.#output);
        if (end === null) return;
        this.#look = () => undefined;
        resolve({ block, code: Number(end[1]), output: this.#output.slice(0, end.index) });
      };
      this.#ended = reject;
      const lines = block.split('\n').map((line) => (line.endsWith('&') ? line : `${line} || code=$?`));
      this.#shell.stdin.write(`code=0\n${lines.join('\n')}\necho "${this.#marker} $code"\n`);
    });
  }

  close(): void {
    this.#ended = () => undefined;
    this.#shell.kill();
  }
}
