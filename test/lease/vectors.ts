import { readFileSync } from 'node:fs';

const ROOM = '/coreos.com/network/';

/** What flanneld left in etcd with a backend: test/vectors/etcd/README.md. Keys without "/coreos.com/network/". */
export function flanneldKeys(backend: 'udp' | 'vxlan' | 'host-gw'): { key: string; value: string }[] {
  const file = new URL(`../../../test/vectors/etcd/flanneld-${backend}.json`, import.meta.url);
  // The shape of etcdctl's JSON output, as checked in.
  const { kvs } = JSON.parse(readFileSync(file, 'utf8')) as { kvs: { key: string; value: string }[] };
  return kvs.map(({ key, value }) => ({ key: text(key).slice(ROOM.length), value: text(value) }));
}

function text(base64: string): string {
  return Buffer.from(base64, 'base64').toString('utf8');
}
