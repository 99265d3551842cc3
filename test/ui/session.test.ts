import test from 'ava';
import { Session } from '../../lib/ui/session.ts';

const cookieOf = (setCookie: string): string => setCookie.split(';')[0]!;

test('the token is good once, for a cookie that scripts and other sites do not get', (t) => {
  const session = new Session(8286);
  t.is(Buffer.from(session.token, 'base64url').length, 32);
  t.is(session.exchange('x'), undefined);
  t.is(session.exchange(`${session.token}x`), undefined);
  const cookie = session.exchange(session.token)!;
  t.regex(cookie, /^weft-ui-8286=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
  t.false(cookie.includes(session.token));
  t.is(session.exchange(session.token), undefined);
});

test('only the cookie itself opens, among others or alone', (t) => {
  const session = new Session(8286);
  const cookie = cookieOf(session.exchange(session.token)!);
  t.true(session.holds(cookie));
  t.true(session.holds(`a=b; ${cookie}; c=d`));
  for (const header of [
    undefined,
    '',
    cookie.slice(0, -1),
    `${cookie}x`,
    cookie.replace('8286', '8287'),
    cookie.toUpperCase(),
    `weft-ui-8286=${session.token}`,
    `x${cookie}`,
    `${'a=b; '.repeat(10_000)}${cookie}`,
  ])
    t.false(session.holds(header), header?.slice(0, 80));
});

test('two servers of one machine know each other by nothing', (t) => {
  const [a, b] = [new Session(1), new Session(1)];
  t.not(a.token, b.token);
  const cookie = cookieOf(a.exchange(a.token)!);
  b.exchange(b.token);
  t.false(b.holds(cookie));
});
