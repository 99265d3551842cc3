import test from 'ava';
import { parseEndpoints } from '../../../lib/store/etcd/endpoints.ts';

function texts(list: string | readonly string[], tlsGiven = false): string {
  return parseEndpoints(list, tlsGiven)
    .map(({ text }) => text)
    .join(' ');
}

test("reads flannel's list of endpoints", (t) => {
  const cases: [string | string[], string][] = [
    ['http://127.0.0.1:4001,http://127.0.0.1:2379', 'http://127.0.0.1:4001 http://127.0.0.1:2379'],
    [' http://etcd1:2379/ , http://etcd2:2379/,', 'http://etcd1:2379 http://etcd2:2379'],
    [['https://a:1', 'https://b:2,https://c:3'], 'https://a:1 https://b:2 https://c:3'],
    ['http://[2001:db8::1]:2379', 'http://[2001:db8::1]:2379'],
    ['HTTP://Etcd.Example', 'http://etcd.example:2379'],
    ['http://etcd:80,http://etcd:80/', 'http://etcd:80 http://etcd:80'],
    ['https://etcd:443', 'https://etcd:443'],
    ['etcd1:2379', 'http://etcd1:2379'],
    ['192.0.2.1', 'http://192.0.2.1:2379'],
  ];
  for (const [list, expected] of cases) t.is(texts(list), expected, String(list));
  t.is(texts('etcd1:2379', true), 'https://etcd1:2379', 'TLS files make it https');
  t.like(parseEndpoints('https://[::1]:99')[0], { host: '::1', port: 99, secure: true });
});

test('refuses what would surprise', (t) => {
  const cases: [string, boolean, string][] = [
    ['', false, 'No etcd endpoint is given'],
    [' , ', false, 'No etcd endpoint is given'],
    ['http://a:1,https://b:2', false, 'Etcd endpoints mix http and https'],
    ['http://a:1', true, 'TLS files are given, but the etcd endpoints are http://'],
    ['ftp://a:1', false, 'Etcd endpoint "ftp://a:1" is not valid'],
    ['unix:///run/etcd', false, 'Etcd endpoint "unix:///run/etcd" is not valid'],
    ['http://a:1/v3', false, 'Etcd endpoint "http://a:1/v3" is not valid'],
    ['http://a:99999', false, 'Etcd endpoint "http://a:99999" is not valid'],
    ['http://', false, 'Etcd endpoint "http://" is not valid'],
    ['http://root:secret@a:1', false, 'Etcd endpoint "http://...@a:1" is not valid'],
  ];
  for (const [list, tlsGiven, message] of cases)
    t.throws(() => parseEndpoints(list, tlsGiven), { code: 'STORE_OPTIONS_INVALID', message }, list);
});
