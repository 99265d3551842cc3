import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { release } from 'node:os';
import test from 'ava';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import { Engine } from '../../lib/engine/engine.ts';
import { Offloads } from '../../lib/engine/offloads.ts';
import { SharedEngines } from '../../lib/engine/shared-engines.ts';
import type { WeftError } from '../../lib/error.ts';
import { openUdpSocket } from '../../lib/sys/udp-socket.ts';
import { logTo } from '../log.ts';

const LOOPBACK = parseIpv4('127.0.0.1')!;
const SWITCHES = { auto: false, tunTso: true, tunUso: true, tunGro: true, udpGso: true, udpGro: true };

/** A port nobody has right now. */
async function freePort(): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}

/** A real engine without segments; needs no privilege. */
function startOn(port: number): () => Promise<Engine> {
  return async () => {
    const socket = { fd: openUdpSocket(LOOPBACK, port, 1 << 16), family: 4 } as const;
    return Engine.start({
      encapsulation: 'ip-in-udp',
      receive: [socket],
      send: [socket],
      offloads: new Offloads(SWITCHES, release()),
      sourceCheck: true,
      tos: { mode: 'fixed', dscp: 0 },
      log: logTo(() => undefined),
    });
  };
}

// One after the other: a port that was free must not be taken by another test.
test.serial('takers of one key get one engine, which the last of them stops', async (t) => {
  const engines = new SharedEngines();
  const start = startOn(await freePort());
  const [one, two] = await Promise.all([engines.take('a', start), engines.take('a', start)]);
  t.is(one, two);
  await engines.release('a');
  t.is(await engines.take('a', start), one, 'still in use');
  await Promise.all([engines.release('a'), engines.release('a')]);
  // The port is free again: a second engine on it would fail otherwise.
  const next = await engines.take('a', start);
  t.not(next, one);
  await engines.release('a');
});

test.serial('an engine that is taken while it is being stopped is a new one, after the wait', async (t) => {
  const engines = new SharedEngines();
  const start = startOn(await freePort());
  const first = await engines.take('a', start);
  const stopping = engines.release('a');
  const second = await engines.take('a', start);
  t.not(second, first);
  await stopping;
  await engines.release('a');
});

test.serial('a start that fails is tried anew by the next taker', async (t) => {
  const engines = new SharedEngines();
  const port = await freePort();
  const giveBack = await holdPort(port);
  await t.throwsAsync(engines.take('a', startOn(port)), { code: 'PORT_BUSY' });
  await giveBack();
  const engine = await engines.take('a', startOn(port));
  t.true(engine instanceof Engine);
  await engines.release('a');
});

/** Holds the port; returns how to give it back. */
async function holdPort(port: number): Promise<() => Promise<void>> {
  const socket = createSocket('udp4').bind(port, '127.0.0.1');
  await once(socket, 'listening');
  return async () => {
    socket.close();
    await once(socket, 'close');
  };
}

test.serial('what one network has, another cannot have until it is given back', (t) => {
  const engines = new SharedEngines();
  const giveBack = engines.claim('VNI 1 on 192.0.2.1:4789', 'red');
  engines.claim('VNI 2 on 192.0.2.1:4789', 'blue');
  const error = t.throws(() => engines.claim('VNI 1 on 192.0.2.1:4789', 'blue')) as WeftError;
  t.is(error.code, 'NETWORK_CONFLICT');
  t.is(error.message, 'Network "blue" cannot have VNI 1 on 192.0.2.1:4789: network "red" has it');
  giveBack();
  t.notThrows(() => engines.claim('VNI 1 on 192.0.2.1:4789', 'blue'));
});
