import { createServer } from 'node:http';
import { connect } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import type { PeersReply, StatsReply, StatusReply } from '../../lib/control/protocol.ts';
import { serveControl } from '../../lib/control/server.ts';
import type { WeftError } from '../../lib/error.ts';
import { until } from '../../lib/lab/until.ts';
import { parseListen } from '../../lib/ui/listen-address.ts';
import type { PacketDetail } from '../../lib/ui/messages.ts';
import { startUi, type Ui, type UiOptions } from '../../lib/ui/server.ts';
import { FDB, NEIGH, PEERS, ROUTES, STATS, STATUS } from '../cli/replies.ts';
import { serveReplies } from '../cli/serve-replies.ts';
import { PATIENCE_MS } from '../patience.ts';
import { ask, EventStream, enter } from './browser-like.ts';
import { serveTap } from './tap-server.ts';

const REASONS = { 'no-route': 'No peer holds the subnet of the destination' };

async function start(t: ExecutionContext, options: Partial<UiOptions> = {}): Promise<Ui> {
  const ui = await startUi({
    listen: parseListen('127.0.0.1:0')!,
    network: '',
    controlSocket: '/nowhere/weft.sock',
    tapSocket: undefined,
    version: '1.2.3',
    host: 'node1',
    dropReasons: REASONS,
    restMs: 0,
    ...options,
  });
  t.teardown(() => ui.close());
  return ui;
}

/** A daemon's counters: each reading is a second and some packets after the one before. */
function countingStats(): () => StatsReply {
  let seconds = 0;
  return () => {
    seconds++;
    const { outbound } = STATS;
    return {
      ...STATS,
      at: new Date(Date.parse(STATS.at) + seconds * 1000).toISOString(),
      outbound: {
        ...outbound,
        received: outbound.received + 10 * seconds,
        forwarded: outbound.forwarded + 10 * seconds,
      },
    };
  };
}

test('the printed address is good once, and what it opens is the page, closed to all others', async (t) => {
  const ui = await start(t);
  t.regex(ui.url, /^http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]{43}$/);
  const first = await ask(ui.url);
  t.is(first.status, 303);
  t.is(first.headers.location, '/');
  const cookie = first.headers['set-cookie']![0]!.split(';')[0]!;
  const base = new URL(ui.url).origin;
  const again = await ask(ui.url);
  t.is(again.status, 403);
  t.regex(again.text, /start weft ui again/);
  t.is((await ask(ui.url, { headers: { cookie } })).status, 303);
  for (const path of ['/', '/live.js', '/live.css']) {
    t.is((await ask(base + path)).status, 403, path);
    const { status, headers, text } = await ask(base + path, { headers: { cookie } });
    t.is(status, 200, path);
    t.true(text.length > 0, path);
    t.is(
      headers['content-security-policy'],
      "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    );
    t.like(headers, {
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      'cache-control': 'no-store',
    });
  }
  t.regex((await ask(base, { headers: { cookie } })).text, /<noscript>/);
  t.is((await ask(`${base}/favicon.ico`, { headers: { cookie } })).status, 204);
  t.is((await ask(`${base}/..%2f..%2fpackage.json`, { headers: { cookie } })).status, 404);
});

test('other names, other origins, other methods and bodies are refused, on the stream as well', async (t) => {
  const ui = await start(t);
  const { base, cookie } = await enter(ui.url);
  const { port } = new URL(base);
  for (const path of ['/', '/events', '/packet/1']) {
    const status = async (headers: Record<string, string>, method = 'GET') =>
      (await ask(base + path, { method, headers: { cookie, ...headers } })).status;
    t.is(await status({ host: `evil.example:${port}` }), 421, path);
    t.is(await status({ origin: 'http://evil.example' }), 403, path);
    t.is(await status({ 'sec-fetch-site': 'cross-site' }), 403, path);
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) t.is(await status({}, method), 405, path);
    t.is((await ask(base + path, { headers: { cookie, 'content-length': '1' }, body: 'x' })).status, 400, path);
    t.is((await ask(base + path)).status, 403, path);
  }
});

test('a busy port, an address of nobody: one line, and what to type', async (t) => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  t.teardown(() => other.close());
  const { port } = other.address() as { port: number };
  const busy = await t.throwsAsync(start(t, { listen: parseListen(`127.0.0.1:${port}`)! }), { code: 'PORT_BUSY' });
  t.is((busy as WeftError).hint, 'take any free port with: --listen 127.0.0.1:0');
  const nobody = await t.throwsAsync(start(t, { listen: parseListen('192.0.2.77:1')! }), { code: 'LISTEN_REFUSED' });
  t.regex(nobody.message, /^Cannot listen on 192\.0\.2\.77:1: .*EADDRNOTAVAIL/);
});

test('IPv6 loopback', async (t) => {
  const ui = await start(t, { listen: parseListen('[::1]:0')! }).catch(() => undefined);
  if (ui === undefined) return t.pass('no IPv6 here');
  t.regex(ui.url, /^http:\/\/\[::1\]:\d+\//);
  const { base, cookie } = await enter(ui.url);
  t.is((await ask(base, { headers: { cookie } })).status, 200);
  return undefined;
});

test('the stream: hello, status, all peers, why there are no packets; then ticks, and what changes', async (t) => {
  let { peers }: PeersReply = PEERS;
  const controlSocket = await serveReplies(t, {
    '/v1/status': () => ({ ...STATUS, uptimeSeconds: Math.random(), tap: { socket: null, readers: [] } }),
    '/v1/stats': countingStats(),
    '/v1/peers': () => ({ peers }),
  });
  const ui = await start(t, { controlSocket });
  const { base, cookie } = await enter(ui.url);
  const stream = await EventStream.open(base, cookie);
  const hello = await stream.find('hello');
  t.like(hello, { version: '1.2.3', host: 'node1', network: '', dropReasons: REASONS, history: [] });
  t.like(await stream.find('status'), { state: 'ready', pid: STATUS.pid });
  t.deepEqual((await stream.find('peers', ({ changed }) => changed.length > 0)).changed, PEERS.peers);
  t.regex((await stream.find('tap'))!.text, /its tap is switched off/);
  const tick = await stream.find('tick');
  t.is(tick.outbound.packets, 10);
  t.is(tick.total!.drops['no-route'], 2);
  t.is(tick.rtt, null);
  // Another page gets what was; one that changes a peer tells both.
  const second = await EventStream.open(base, cookie);
  t.true((await second.find('hello')).history.length >= 1);
  t.deepEqual((await second.find('peers')).changed, PEERS.peers);
  peers = [PEERS.peers[1]!];
  for (const each of [stream, second])
    t.deepEqual(await each.find('peers', ({ gone }) => gone.length > 0), { changed: [], gone: ['10.244.99.0/24'] });
  // A status that differs in its uptime alone is no news.
  t.is(stream.all('status').length, 1);
  stream.close();
  second.close();
});

test('a weftd that is not there, comes, and comes again: the stream goes on', async (t) => {
  const directory = (await serveReplies(t)).replace(/\/weft\.sock$/, '');
  const controlSocket = `${directory}/later.sock`;
  const ui = await start(t, { controlSocket });
  const { base, cookie } = await enter(ui.url);
  const stream = await EventStream.open(base, cookie);
  const gone = await stream.find('gone');
  t.regex(gone.text, /No control socket at .*later\.sock/);
  t.regex(gone.hint!, /is weftd running/);
  const handlers = (status: StatusReply) => ({
    '/v1/status': () => status,
    '/v1/peers': () => PEERS,
    '/v1/routes': () => ROUTES,
    '/v1/stats': countingStats(),
    '/v1/fdb': () => FDB,
    '/v1/neigh': () => NEIGH,
  });
  const first = await serveControl(controlSocket, handlers(STATUS));
  await stream.find('status', ({ pid }) => pid === STATUS.pid);
  await stream.find('tick');
  await first.close();
  t.true(await until(() => stream.all('gone').length === 2, PATIENCE_MS));
  // Who comes now is told the same.
  const late = await EventStream.open(base, cookie);
  await late.find('gone');
  const second = await serveControl(
    controlSocket,
    handlers({ ...STATUS, pid: 4712, startedAt: '2026-11-22T12:00:00.000Z' }),
  );
  t.teardown(() => second.close());
  for (const each of [stream, late]) await each.find('status', ({ pid }) => pid === 4712);
  late.close();
  stream.close();
});

test('packets, and one of them with its headers', async (t) => {
  const controlSocket = await serveReplies(t, { '/v1/stats': countingStats() });
  const tap = await serveTap(t);
  const ui = await start(t, { controlSocket, tapSocket: tap.path });
  const { base, cookie } = await enter(ui.url);
  const stream = await EventStream.open(base, cookie);
  t.is(await stream.find('tap'), null);
  const some = async () => {
    tap.send({}, { verdict: 1, reason: 0, timeOut: 0n, peer: new Uint8Array(0) });
    return stream.all('packets').some(({ lines }) => lines.length > 0);
  };
  t.true(await until(some, PATIENCE_MS));
  const lines = stream.all('packets').flatMap((batch) => batch.lines);
  const get = (id: number | string) => ask(`${base}/packet/${id}`, { headers: { cookie } });
  const sent = lines.find(({ verdict }) => verdict === 'forwarded')!;
  const detail = JSON.parse((await get(sent.id)).text) as PacketDetail;
  t.deepEqual(detail.line, sent);
  t.is(detail.sentence, 'Read from flannel0 and sent to 192.0.2.2 in UDP');
  t.is(detail.headers[0]!.rebuilt, true);
  const dropped = lines.find(({ verdict }) => verdict === 'dropped')!;
  t.regex((JSON.parse((await get(dropped.id)).text) as PacketDetail).sentence, /no-route\. No peer holds/);
  for (const id of [9_999_999, '', '1e3', '-1', '..%2fevents', '1'.repeat(400)])
    t.is((await get(id)).status, 404, `${id}`);
  t.is((await ask(`${base}/packet/${sent.id}?network=other`, { headers: { cookie } })).status, 404);
  stream.close();
});

test('when the last page is closed nobody looks at weftd any more', async (t) => {
  let asked = 0;
  const stats = countingStats();
  const controlSocket = await serveReplies(t, {
    '/v1/stats': () => {
      asked++;
      return stats();
    },
  });
  const tap = await serveTap(t);
  const ui = await start(t, { controlSocket, tapSocket: tap.path });
  const { base, cookie } = await enter(ui.url);
  const stream = await EventStream.open(base, cookie);
  await stream.find('tick');
  stream.close();
  // Three readings' time without one.
  let [before, still] = [asked, 0];
  const isQuiet = () => {
    if (asked === before) still++;
    else [before, still] = [asked, 0];
    return still > 300;
  };
  t.true(await until(isQuiet, PATIENCE_MS));
  const again = await EventStream.open(base, cookie);
  t.deepEqual((await again.find('hello')).history, []);
  await again.find('tick');
  again.close();
});

test('pages beyond the limit are told so, and leave room when they close', async (t) => {
  const controlSocket = await serveReplies(t, { '/v1/stats': countingStats() });
  const ui = await start(t, { controlSocket });
  const { base, cookie } = await enter(ui.url);
  const streams = await Promise.all(
    Array.from({ length: 16 }, (_, i) => EventStream.open(base, cookie, `?network=${i % 3 === 0 ? '' : i}`)),
  );
  const refused = await ask(`${base}/events`, { headers: { cookie } });
  t.is(refused.status, 503);
  t.regex(refused.text, /Too many pages are open/);
  streams[3]!.close();
  const comes = async () => {
    const stream = await EventStream.open(base, cookie).catch(() => undefined);
    stream?.close();
    return stream !== undefined;
  };
  t.true(await until(comes, PATIENCE_MS));
  for (const stream of streams) stream.close();
  t.is((await ask(`${base}/events?network=${'x'.repeat(300)}`, { headers: { cookie } })).status, 404);
});

test('pages that were asked for in one breath over one connection end with it', async (t) => {
  const controlSocket = await serveReplies(t, { '/v1/stats': countingStats() });
  const ui = await start(t, { controlSocket });
  const { base, cookie } = await enter(ui.url);
  const { host, port } = new URL(base);
  const socket = connect(Number(port), '127.0.0.1');
  socket.write(`GET /events HTTP/1.1\r\nHost: ${host}\r\nCookie: ${cookie}\r\n\r\n`.repeat(16));
  const isFull = async () => (await ask(`${base}/events`, { method: 'HEAD', headers: { cookie } })).status === 503;
  t.true(await until(isFull, PATIENCE_MS));
  socket.destroy();
  const streams: EventStream[] = [];
  const open = async () => {
    const stream = await EventStream.open(base, cookie).catch(() => undefined);
    if (stream !== undefined) streams.push(stream);
    return streams.length === 16;
  };
  t.true(await until(open, PATIENCE_MS), `${streams.length}`);
  for (const stream of streams) stream.close();
});

test('a weftd that is older, or no weftd: said, and the page goes on', async (t) => {
  const { tap: _, ...older } = STATUS;
  const replies: StatusReply[] = [{} as StatusReply, older as StatusReply];
  const asked = { '/v1/status': () => replies.shift() ?? (older as StatusReply), '/v1/stats': countingStats() };
  const ui = await start(t, { controlSocket: await serveReplies(t, asked) });
  const { base, cookie } = await enter(ui.url);
  const stream = await EventStream.open(base, cookie);
  t.regex((await stream.find('gone')).text, /is not weftd's: it has no networks/);
  await stream.find('status');
  t.regex((await stream.find('tap', (problem) => problem !== null))!.text, /its tap is switched off/);
  await stream.find('tick');
  stream.close();
});

test('garbage, half requests and long heads end with their connection, and nothing else does', async (t) => {
  const ui = await start(t);
  const { base, cookie } = await enter(ui.url);
  const port = Number(new URL(base).port);
  const send = (text: string) =>
    new Promise<string>((resolve) => {
      let got = '';
      const socket = connect(port, '127.0.0.1');
      socket.on('data', (data) => {
        got += data.toString();
      });
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(got));
      socket.write(text);
    });
  t.regex(await send('\x16\x03\x01\x02\x00\x01'), /^HTTP\/1\.1 400 /);
  t.regex(await send(`GET / HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`), /^HTTP\/1\.1 431 /);
  t.regex(await send('GET / HTTP/1.1\r\n\r\n'), /^HTTP\/1\.1 400 /);
  t.regex(await send('GET / HTTP/1.0\r\n\r\n'), /^HTTP\/1\.1 421 /);
  t.is((await ask(base, { headers: { cookie } })).status, 200);
});

test('an end cuts all that is open', async (t) => {
  const controlSocket = await serveReplies(t, { '/v1/stats': countingStats() });
  const ui = await start(t, { controlSocket });
  const { base, cookie } = await enter(ui.url);
  const stream = await EventStream.open(base, cookie);
  await stream.find('hello');
  await ui.close();
  t.true(await until(() => !stream.isOpen, PATIENCE_MS));
  await t.throwsAsync(ask(base, { headers: { cookie } }), { code: 'ECONNREFUSED' });
});
