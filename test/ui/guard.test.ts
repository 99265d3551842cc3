import type { IncomingHttpHeaders } from 'node:http';
import test from 'ava';
import { type Guarded, judge, type Verdict } from '../../lib/ui/guard.ts';
import { parseListen } from '../../lib/ui/listen-address.ts';
import { Session } from '../../lib/ui/session.ts';

const HOST = '127.0.0.1:8286';

function guarded(): Guarded & { readonly cookie: string; readonly session: Session } {
  const session = new Session(8286);
  const cookie = session.exchange(session.token)!.split(';')[0]!;
  return { listened: parseListen(HOST)!, session, cookie };
}

const asked = (by: Guarded, target: string, headers: IncomingHttpHeaders = {}, method = 'GET'): Verdict =>
  judge({ method, target, headers: { host: HOST, ...headers } }, by);
const status = (verdict: Verdict): number | string => (verdict.kind === 'refuse' ? verdict.status : verdict.kind);

test('with the cookie every path passes, without it none does', (t) => {
  const by = guarded();
  for (const target of ['/', '/live.js', '/events', '/events?network=blue', '/packet/7', '/nowhere']) {
    t.is(status(asked(by, target, { cookie: by.cookie })), 'pass', target);
    t.is(status(asked(by, target)), 403, target);
    t.is(status(asked(by, target, { cookie: `${by.cookie}x` })), 403, target);
  }
  const verdict = asked(by, '/events?network=blue%20one', { cookie: by.cookie });
  t.is(verdict.kind === 'pass' ? `${verdict.path} ${verdict.query.get('network')}` : '', '/events blue one');
});

test('the token is exchanged once; who has the cookie goes on, all others are told what to do', (t) => {
  const session = new Session(8286);
  const by = { listened: parseListen(HOST)!, session };
  const target = `/?token=${session.token}`;
  t.is(status(asked(by, '/?token=wrong')), 403);
  // Whoever only looks does not use it up; nor does one who is refused.
  t.is(status(asked(by, target, {}, 'HEAD')), 403);
  t.is(status(asked(by, target, { 'sec-fetch-site': 'cross-site' })), 403);
  t.is(status(asked(by, target, { host: 'evil.example:8286' })), 421);
  t.is(status(asked(by, `/events?token=${session.token}`)), 403);
  const first = asked(by, target, { 'sec-fetch-site': 'none' });
  t.is(first.kind, 'redirect');
  const cookie = (first.kind === 'redirect' ? first.cookie! : '').split(';')[0]!;
  const again = asked(by, target);
  t.is(status(again), 403);
  t.regex(again.kind === 'refuse' ? again.sentence : '', /used before.*start weft ui again/);
  t.deepEqual(asked(by, target, { cookie }), { kind: 'redirect', cookie: undefined });
});

test('only GET and HEAD, and no body', (t) => {
  const by = guarded();
  const { cookie } = by;
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE', 'CONNECT', 'get'])
    t.is(status(asked(by, '/', { cookie }, method)), 405, method);
  t.is(status(asked(by, '/', { cookie }, 'HEAD')), 'pass');
  t.is(status(asked(by, '/', { cookie, 'content-length': '1' })), 400);
  t.is(status(asked(by, '/', { cookie, 'content-length': 'x' })), 400);
  t.is(status(asked(by, '/', { cookie, 'content-length': '0' })), 'pass');
  t.is(status(asked(by, '/', { cookie, 'transfer-encoding': 'chunked' })), 400);
});

test('a name that was made to lead here is refused, also with the cookie', (t) => {
  const by = guarded();
  for (const host of ['evil.example:8286', 'evil.example', '127.0.0.1:1', '']) {
    const verdict = asked(by, '/events', { cookie: by.cookie, host });
    t.is(status(verdict), 421, host);
  }
  t.is(status(asked(by, '/events', { cookie: by.cookie, host: 'localhost:8286' })), 'pass');
});

test('a page of another origin is refused, also with the cookie, also on the stream', (t) => {
  const by = guarded();
  const { cookie } = by;
  for (const target of ['/', '/events', '/packet/1', '/live.js']) {
    for (const origin of [
      'http://evil.example',
      'null',
      'https://127.0.0.1:8286',
      'http://127.0.0.1:1',
      'http://localhost:8286',
    ])
      t.is(status(asked(by, target, { cookie, origin })), 403, `${target} ${origin}`);
    // Of another port of this address, too: to cookies it is the same site.
    for (const site of ['cross-site', 'same-site'])
      t.is(status(asked(by, target, { cookie, 'sec-fetch-site': site })), 403, `${target} ${site}`);
    t.is(status(asked(by, target, { cookie, origin: `http://${HOST}`, 'sec-fetch-site': 'same-origin' })), 'pass');
  }
  t.is(status(asked(by, '/', { cookie, 'sec-fetch-site': 'none' })), 'pass');
  t.is(status(asked(by, '/events', { cookie, 'sec-fetch-site': 'none' })), 403);
});

test('a target that is no path is refused', (t) => {
  const by = guarded();
  for (const target of ['', '*', '//evil.example/', 'http://evil.example/', 'events'])
    t.is(status(asked(by, target, { cookie: by.cookie })), 400, target);
});
