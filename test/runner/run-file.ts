import { runAva } from './ava.ts';
import { judge, type Outcome } from './tap.ts';

export interface FileResult extends Outcome {
  /** Path of the source, relative to the checkout. */
  readonly file: string;
  readonly seconds: number;
  /** What the tests printed: the end of it, if it was much. */
  readonly output: string;
  /** Commands that were still running when the file had ended; they have been killed. */
  readonly leftRunning: readonly string[];
}

export interface RunFileOptions {
  /** The folder of package.json. */
  readonly root: string;
  /** Path of the source, relative to `root`. */
  readonly file: string;
  /** Path of the compiled file, relative to `root`. */
  readonly compiled: string;
  /** The file is killed after so many milliseconds. AVA itself gives up earlier when nothing happens any more. */
  readonly limitMs: number;
  readonly signal: AbortSignal;
}

/** Runs one compiled test file in an AVA of its own. */
export async function runFile({ file, compiled, ...options }: RunFileOptions): Promise<FileResult> {
  const { tap, ending, seconds, output, leftRunning } = await runAva({ ...options, compiled: [compiled] });
  return { file, seconds, output, leftRunning, ...judge(tap, ending) };
}
