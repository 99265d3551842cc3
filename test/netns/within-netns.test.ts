import { execFileSync } from 'node:child_process';
import { readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { close } from '../../lib/sys/ffi.ts';
import { RouteNetlink } from '../../lib/sys/netlink/rtnetlink.ts';
import { withinNetns } from '../../lib/sys/netns.ts';
import { setInterfaceSysctl } from '../../lib/sys/sysctl.ts';
import { openTap } from '../../lib/sys/tun.ts';
import { testInFreshNamespace } from './enter.ts';

const test = testInFreshNamespace();

const NAME = `weft-within-${process.pid}`;
const PATH = `/run/netns/${NAME}`;

/** Makes the namespace NAME for one test. */
function withNamespace(t: ExecutionContext): void {
  execFileSync('ip', ['netns', 'add', NAME]);
  t.teardown(() => {
    execFileSync('ip', ['netns', 'del', NAME]);
  });
}

const here = (): string => readlinkSync('/proc/thread-self/ns/net');

/** As another process sees it, whose way into the namespace is "ip netns exec". */
function acceptRa(program: string, ...args: string[]): string {
  return execFileSync(program, [...args, '/proc/sys/net/ipv6/conf/lo/accept_ra'], { encoding: 'utf8' }).trim();
}

test('the body runs in the namespace, and the thread comes back', (t) => {
  withNamespace(t);
  const before = here();
  const inside = withinNetns(PATH, here);
  t.not(inside, before);
  t.is(here(), before);
  const error = new Error('from the body');
  t.is(
    t.throws(() =>
      withinNetns(PATH, () => {
        throw error;
      }),
    ),
    error,
  );
  t.is(here(), before);
  t.is(
    withinNetns(undefined, () => here()),
    before,
  );
  t.is(
    withinNetns(PATH, () => withinNetns('/proc/self/ns/net', () => 'nested')),
    'nested',
  );
  t.is(here(), before);
});

test('devices and netlink sockets opened inside belong to it, and work from outside', (t) => {
  withNamespace(t);
  const { device, netlink } = withinNetns(PATH, () => ({
    device: openTap('flannel.7', true),
    netlink: RouteNetlink.open(),
  }));
  const outside = RouteNetlink.open();
  t.is(outside.linkByName('flannel.7'), undefined);
  const link = netlink.linkByName('flannel.7')!;
  netlink.setLinkUp(link.index);
  netlink.setNeighbor({ interfaceIndex: link.index, address: 0x0af40100, mac: 0x02420af40100 });
  const theirs = execFileSync('ip', ['-n', NAME, 'neigh', 'show', 'dev', 'flannel.7'], { encoding: 'utf8' });
  t.regex(theirs, /^10\.244\.1\.0 lladdr 02:42:0a:f4:01:00 PERMANENT/m);
  close(device.fd);
  t.is(netlink.linkByName('flannel.7'), undefined);
  netlink.close();
  outside.close();
});

test('writes interface sysctls in the namespace and nowhere else', (t) => {
  withNamespace(t);
  const before = acceptRa('cat');
  const value = before === '0' ? '1' : '0';
  withinNetns(PATH, () => setInterfaceSysctl('ipv6', 'lo', 'accept_ra', value));
  t.is(acceptRa('cat'), before);
  t.is(acceptRa('ip', 'netns', 'exec', NAME, 'cat'), value);
});

test('a namespace that is not there is NETNS_MISSING with the command that makes it', (t) => {
  const before = here();
  const body = (): void => t.fail('runs although the namespace is missing');
  const missing = { code: 'NETNS_MISSING', message: `Cannot enter network namespace "${PATH}": there is no such file` };
  const error = t.throws(() => withinNetns(PATH, body), missing);
  t.like(error, { hint: `make it with "ip netns add ${NAME}"` });
  const plain = join(tmpdir(), NAME);
  writeFileSync(plain, '');
  t.throws(() => withinNetns(plain, body), { code: 'NETNS_MISSING', message: /is not a network namespace$/ });
  rmSync(plain);
  t.throws(() => withinNetns('/proc/self/ns/mnt', body), { code: 'NETNS_MISSING' });
  t.is(here(), before);
});

test('an asynchronous body is refused', (t) => {
  withNamespace(t);
  const before = here();
  t.throws(() => void withinNetns(PATH, () => Promise.resolve()), { instanceOf: TypeError });
  t.is(here(), before);
});

// Last: it gives up the rights of the thread's user for a moment.
test('without rights it says which is missing', (t) => {
  withNamespace(t);
  process.seteuid!(65534);
  try {
    const error = t.throws(() => withinNetns(PATH, here), { code: 'NOT_PERMITTED' });
    t.like(error, { hint: 'run as root, or give the process CAP_SYS_ADMIN' });
  } finally {
    process.seteuid!(0);
  }
});
