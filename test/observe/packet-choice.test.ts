import { spawn } from 'node:child_process';
import { once } from 'node:events';
import test from 'ava';
import type { WirePacket } from '../../lib/capture/wire-packet.ts';
import type { EdgePacket } from '../../lib/observe/edge-capture.ts';
import type { Edge } from '../../lib/observe/edges.ts';
import { notOfSession, ownSession } from '../../lib/observe/packet-choice.ts';

const SESSION = '10.1.0.9 40000 10.2.0.2 22';
const FILTER = 'tcp and host 10.1.0.9 and port 40000 and host 10.2.0.2 and port 22';

const OVERLAY: Edge = {
  kind: 'overlay',
  device: 'flannel0',
  netns: undefined,
  networks: [{ name: '', prefixes: [], wire: { encapsulation: 'ip-in-udp', port: 8285 }, filter: '' }],
  filter: '',
};

/** A TCP segment without data, on the overlay's TUN. */
function segment(
  source: readonly number[],
  sourcePort: number,
  destination: readonly number[],
  port: number,
): EdgePacket {
  const bytes = new Uint8Array(40);
  bytes.set([0x45, 0, 0, 40, 0, 1, 0x40, 0, 64, 6, 0, 0, ...source, ...destination]);
  new DataView(bytes.buffer).setUint16(20, sourcePort);
  new DataView(bytes.buffer).setUint16(22, port);
  bytes[32] = 0x50;
  const state = { index: 0, of: 1, idRebuilt: false, checksumUnfinished: false, notCut: false };
  const packet: WirePacket = { memory: bytes, start: 0, end: 40, bytes, length: 40, ...state };
  // Of the frame nothing is looked at.
  return { edge: OVERLAY, number: 0, linkType: 101, tunnels: new Map(), packet } as Partial<EdgePacket> as EdgePacket;
}

test('a capture leaves out the ssh session it was started in, in both directions, and nothing else', (t) => {
  t.is(ownSession({ SSH_CONNECTION: SESSION }, 0), FILTER);
  const isOfOthers = notOfSession(FILTER);
  const [client, server] = [
    [10, 1, 0, 9],
    [10, 2, 0, 2],
  ] as const;
  t.false(isOfOthers(segment(client, 40_000, server, 22)));
  t.false(isOfOthers(segment(server, 22, client, 40_000)));
  t.true(isOfOthers(segment(client, 40_001, server, 22)), 'another session');
  t.true(isOfOthers(segment(client, 40_000, [10, 2, 0, 3], 22)));
  t.true(notOfSession(undefined)(segment(client, 40_000, server, 22)));
});

test('sudo keeps the session from us: it is that of a process above', async (t) => {
  const shell = spawn('sh', ['-c', 'env -u SSH_CONNECTION sleep 60 & echo $!; wait'], {
    env: { ...process.env, SSH_CONNECTION: SESSION },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(shell.stdout, 'data')) as [Buffer];
  const sleep = Number(line.toString());
  try {
    t.is(ownSession({}, sleep), FILTER);
  } finally {
    process.kill(sleep);
    await once(shell, 'close');
  }
});

test('what is no address and no port never gets into a filter', (t) => {
  for (const text of ['', 'a b c d', '10.1.0.9 1 10.2.0.2', '10.1.0.9 1) or (1 10.2.0.2 22', "10.1.0.9' 1 10.2.0.2 22"])
    t.is(ownSession({ SSH_CONNECTION: text }, 0), undefined, text);
  t.is(
    ownSession({ SSH_CONNECTION: 'fd00::9 40000 fd00::2 22' }, 0),
    FILTER.replace('10.1.0.9', 'fd00::9').replace('10.2.0.2', 'fd00::2'),
  );
});
