/**
 * The process that is this machine's side: it starts what is measured with, and ends and removes it when its standard input
 * does, however its parent ends (also by SIGKILL). First line: a MachinePlace; then requests with an id each, answered in the
 * order in which they are done.
 */
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { messageOf, WeftError } from '../../error.ts';
import { type MachinePlace, MachineSide } from './machine-side.ts';
import type { Request } from './requests.ts';
import type { Numbered, SideReply } from './side-protocol.ts';

function reply(message: SideReply): void {
  try {
    writeSync(1, `${JSON.stringify(message)}\n`);
  } catch {
    // Nobody reads any more: the end of the input follows.
  }
}

async function answer(side: MachineSide, { id, ...request }: Numbered<Request>): Promise<void> {
  try {
    reply({ id, value: await side.perform(request as Request) });
  } catch (error) {
    const code = error instanceof WeftError ? error.code : 'FAR_REQUEST';
    reply({ id, error: { code, message: messageOf(error), hint: (error as Partial<WeftError>).hint ?? null } });
  }
}

const lines = createInterface({ input: process.stdin });
// The parent has its own way to end us.
for (const signal of ['SIGINT', 'SIGHUP', 'SIGTERM'] as const) process.on(signal, () => lines.close());
let side: MachineSide | undefined;
for await (const line of lines) {
  if (side === undefined) side = new MachineSide(JSON.parse(line) as MachinePlace);
  else void answer(side, JSON.parse(line) as Numbered<Request>);
}
// All that was started is in our process group, and ends at once, also what a request still waits for.
process.kill(0, 'SIGTERM');
await side?.close();
// After a signal it is still open.
process.stdin.destroy();
