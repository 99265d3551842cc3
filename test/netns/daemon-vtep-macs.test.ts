import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { type EtcdServer, startEtcd } from '../etcd-server.ts';
import { testInFreshNamespace } from './enter.ts';
import { makeUnderlay } from './underlay.ts';
import { type Files, makeFiles, Weftd } from './weftd.ts';

// One namespace: lo with etcd, and a veth pair und0 (192.0.2.1/24, 2001:db8::1/64) - und1 as underlay.
const test = testInFreshNamespace();

const SUBNETS = '/coreos.com/network/subnets/';
const CONFIG = {
  Network: '10.244.0.0/16',
  EnableIPv6: true,
  IPv6Network: 'fd00:244::/48',
  Backend: { Type: 'vxlan', VNI: 7, Port: 4789 },
};

async function etcd(t: ExecutionContext): Promise<EtcdServer> {
  makeUnderlay();
  const server = await startEtcd();
  t.teardown(() => server.stop());
  await server.etcdctl('put', '/coreos.com/network/config', JSON.stringify(CONFIG));
  return server;
}

interface Macs {
  readonly ipv4: string;
  readonly ipv6: string;
}

/** One start and stop of weftd: the addresses in its lease, which its devices have too, and what it logged. */
async function once(t: ExecutionContext, server: EtcdServer, files: Files): Promise<{ macs: Macs; log: string[] }> {
  const weftd = new Weftd(t, [`--etcd-endpoints=${server.endpoint}`, '--iface=und0'], files);
  const { lease } = await weftd.ready();
  const key = `${SUBNETS}${lease?.ipv4.replace('/', '-')}&${lease?.ipv6?.replace('/', '-')}`;
  const value = JSON.parse(await server.etcdctl('get', '--print-value-only', '--', key));
  const macs = { ipv4: value.BackendData.VtepMAC, ipv6: value.BackendV6Data.VtepMAC };
  t.deepEqual({ ipv4: macOf('flannel.7'), ipv6: macOf('flannel-v6.7') }, macs);
  weftd.signal('SIGTERM');
  t.is((await weftd.ended()).code, 0, weftd.errorLines.join('\n'));
  return { macs, log: weftd.log.map(({ level, msg }) => `${level}: ${msg}`) };
}

function macOf(device: string): string {
  return JSON.parse(execFileSync('ip', ['-j', 'link', 'show', device], { encoding: 'utf8' }))[0].address;
}

test("a node's VTEPs keep their addresses: by the file, by the lease, and not against another node", async (t) => {
  const server = await etcd(t);
  const files = makeFiles(t);
  const state = join(files.directory, 'state');
  const { macs } = await once(t, server, files);
  t.not(macs.ipv4, macs.ipv6);
  t.deepEqual(JSON.parse(readFileSync(join(state, 'vtep-macs.json'), 'utf8')), {
    version: 1,
    macs: { '/flannel-v6.7': macs.ipv6, '/flannel.7': macs.ipv4 },
  });

  await server.etcdctl('del', '--prefix', SUBNETS);
  t.deepEqual((await once(t, server, files)).macs, macs, 'from the file');

  rmSync(state, { recursive: true });
  const { macs: taken, log } = await once(t, server, files);
  t.deepEqual(taken, macs, 'from the lease');
  t.is(log.filter((line) => line === 'info: VtepMAC taken over from our lease').length, 2);

  const twin = {
    PublicIP: '192.0.2.2',
    PublicIPv6: null,
    BackendType: 'vxlan',
    BackendData: { VNI: 7, VtepMAC: macs.ipv4 },
  };
  await server.etcdctl('put', '--', `${SUBNETS}10.244.250.0-24`, JSON.stringify(twin));
  const copied = await once(t, server, files);
  t.not(copied.macs.ipv4, macs.ipv4, 'another node has it');
  t.is(copied.macs.ipv6, macs.ipv6);
  t.is(copied.log.filter((line) => line.startsWith('warn: Another lease has our VtepMAC')).length, 1);
});
