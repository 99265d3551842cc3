import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import test, { type ExecutionContext } from 'ava';
import type { ChildReply, ChildRequest } from '../../lib/demo/protocol.ts';

const SCRIPT = new URL('../../lib/demo/transfer-child.js', import.meta.url);
// Below the range of ephemeral ports; no other test has them.
const [LATE, LOST] = [21_851, 21_852];

function start(t: ExecutionContext): ChildProcess {
  const child = fork(SCRIPT);
  t.teardown(() => child.kill('SIGKILL'));
  return child;
}

async function ask(child: ChildProcess, request: ChildRequest): Promise<ChildReply> {
  const reply = once(child, 'message');
  child.send(request);
  const [message] = (await reply) as [ChildReply];
  return message;
}

test('a receiver waits for a sender that is long in starting, and does not give up before it has sent (T2)', async (t) => {
  const receiver = start(t);
  t.like(await ask(receiver, { type: 'udp-receive', port: LATE, datagrams: 20 }), { type: 'ready' });
  const received = once(receiver, 'message');
  // A process that starts takes longer than the receiver's first turns.
  const sender = start(t);
  const size = { flows: 2, payloadSize: 100, perSecond: 4000 };
  const sent = await ask(sender, { type: 'udp-send', to: '127.0.0.1', port: LATE, datagrams: 20, ...size });
  const [done] = (await received) as [ChildReply];
  t.like(sent, { type: 'done', bytes: 20 * 96 });
  t.deepEqual({ ...done, seconds: 0 }, { ...sent, seconds: 0 });
});

test('what has not come when all is sent and it has been quiet is lost (T2)', async (t) => {
  const receiver = start(t);
  t.like(await ask(receiver, { type: 'udp-receive', port: LOST, datagrams: 2 }), { type: 'ready' });
  t.like(await ask(receiver, { type: 'finish', quietMs: 10 }), { type: 'done', datagrams: 0, bytes: 0 });
});
