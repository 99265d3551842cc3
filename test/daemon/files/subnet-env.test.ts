import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { type Ipv4Prefix, type Ipv6Prefix, parsePrefix } from '../../../lib/addr/prefix.ts';
import {
  formatSubnetEnv,
  parseSubnetEnv,
  readPreviousRun,
  type SubnetEnv,
  writeSubnetEnv,
} from '../../../lib/daemon/files/subnet-env.ts';
import { WeftError } from '../../../lib/error.ts';

const prefix4 = (text: string) => parsePrefix(text) as Ipv4Prefix;
const prefix6 = (text: string) => parsePrefix(text) as Ipv6Prefix;

function environment(subnet = '10.244.30.0/24', mtu = 1472): SubnetEnv {
  return {
    config: {
      enableIpv4: true,
      enableIpv6: false,
      network: prefix4('10.244.0.0/16'),
      subnetLen: 24,
      subnetMin: prefix4('10.244.1.0/24'),
      subnetMax: prefix4('10.244.255.0/24'),
      ipv6: undefined,
      backendType: 'udp',
      backend: {},
    },
    own: { ipv4: prefix4(subnet), ipv6: undefined },
    mtu,
    ipMasq: false,
  };
}

async function scratch(t: { teardown(undo: () => Promise<void>): void }): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'weft-subnet-env-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

test("the bytes are flanneld's (its own run: FLANNEL_SUBNET is base + 1)", (t) => {
  const text = 'FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.30.1/24\nFLANNEL_MTU=1472\n';
  t.is(formatSubnetEnv({ ...environment(), ipMasq: true }), `${text}FLANNEL_IPMASQ=true\n`);
  t.is(formatSubnetEnv(environment()), `${text}FLANNEL_IPMASQ=false\n`);
});

test('dual stack adds the two IPv6 lines before the MTU', (t) => {
  const env = environment();
  const ipv6 = prefix6('2001:cafe:42::/56');
  const config = {
    ...env.config,
    enableIpv6: true,
    ipv6: { network: ipv6, subnetLen: 64, subnetMin: ipv6, subnetMax: ipv6 },
  };
  t.is(
    formatSubnetEnv({ ...env, config, own: { ...env.own, ipv6: prefix6('2001:cafe:42:3::/64') } }),
    'FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.30.1/24\n' +
      'FLANNEL_IPV6_NETWORK=2001:cafe:42::/56\nFLANNEL_IPV6_SUBNET=2001:cafe:42:3::1/64\n' +
      'FLANNEL_MTU=1472\nFLANNEL_IPMASQ=false\n',
  );
});

const PREVIOUS = { subnets: environment().own, networks: [environment().config.network] };

test('what was written reads back as the subnets and the networks', (t) => {
  t.deepEqual(parseSubnetEnv(formatSubnetEnv(environment())), PREVIOUS);
  const dual = 'FLANNEL_NETWORK=10.5.0.0/16\nFLANNEL_IPV6_NETWORK=fd00::/48\n';
  t.deepEqual(parseSubnetEnv(dual), {
    subnets: undefined,
    networks: [prefix4('10.5.0.0/16'), prefix6('fd00::/48')],
  });
});

const tolerant: readonly (readonly [text: string, subnet: string | undefined])[] = [
  ['', undefined],
  ['FLANNEL_SUBNET=', undefined],
  ['FLANNEL_SUBNET=nonsense\n', undefined],
  ['FLANNEL_SUBNET=2001:db8::1/64\n', undefined],
  ['FLANNEL_SUBNET=10.1.2.1/33\n', undefined],
  ['# comment\njunk\n=x\nFLANNEL_SUBNET=10.1.2.1/24', '10.1.2.0/24'],
  ['FLANNEL_SUBNET=10.1.2.1/24\r\n', '10.1.2.0/24'],
  ['FLANNEL_SUBNET=10.9.9.1/24\nFLANNEL_SUBNET=10.1.2.1/24\n', '10.1.2.0/24'],
  ['FLANNEL_SUBNET=10.1.2.1/24\nFLANNEL_IPV6_SUBNET=broken\n', '10.1.2.0/24'],
];
for (const [text, subnet] of tolerant)
  test(`reads ${JSON.stringify(text)} as ${subnet}`, (t) => {
    t.deepEqual(
      parseSubnetEnv(text).subnets,
      subnet === undefined ? undefined : { ipv4: prefix4(subnet), ipv6: undefined },
    );
  });

test('the file is 0644 whatever the umask, in a new directory, and nothing else is left there', async (t) => {
  const directory = join(await scratch(t), 'run', 'flannel');
  const path = join(directory, 'subnet.env');
  const umask = process.umask(0o077);
  t.teardown(() => {
    process.umask(umask);
  });
  await mkdir(directory, { recursive: true });
  await writeSubnetEnv(path, environment());
  t.is((await stat(path)).mode & 0o7777, 0o644);
  t.deepEqual(await readdir(directory), ['subnet.env']);
  t.is(await readFile(path, 'utf8'), formatSubnetEnv(environment()));
  t.deepEqual(await readPreviousRun(path), PREVIOUS);
});

test('a reader in a loop never sees half a file', async (t) => {
  const path = join(await scratch(t), 'subnet.env');
  const variants = [environment('10.244.1.0/24', 1472), environment('10.244.200.0/24', 65000)];
  const texts = variants.map(formatSubnetEnv);
  await writeSubnetEnv(path, variants[0]!);
  let writing = true;
  const writer = (async () => {
    for (let round = 0; round < 60; round++) await writeSubnetEnv(path, variants[round % 2]!);
    writing = false;
  })();
  let reads = 0;
  while (writing) {
    const text = await readFile(path, 'utf8');
    if (!texts.includes(text)) t.fail(`read ${JSON.stringify(text)}`);
    reads++;
  }
  await writer;
  t.true(reads > 20, `${reads} reads`);
});

test('no file means no previous run', async (t) => {
  const none = { subnets: undefined, networks: [] };
  t.deepEqual(await readPreviousRun(join(await scratch(t), 'missing', 'subnet.env')), none);
});

test('a symbolic link, a directory and a named pipe are refused for reading and writing, and left as they are', async (t) => {
  const directory = await scratch(t);
  const victim = join(directory, 'victim');
  await writeFile(victim, 'precious');
  await symlink(victim, join(directory, 'link'));
  await symlink(join(directory, 'nowhere'), join(directory, 'dangling'));
  await mkdir(join(directory, 'directory'));
  execFileSync('mkfifo', [join(directory, 'pipe')]);
  for (const [name, kind] of Object.entries({
    link: 'a symbolic link',
    dangling: 'a symbolic link',
    directory: 'a directory',
    pipe: 'a named pipe',
  })) {
    const path = join(directory, name);
    const expected = {
      instanceOf: WeftError,
      code: 'SUBNET_FILE_REFUSED',
      message: `Cannot use subnet file "${path}": it is ${kind}, not a regular file`,
    };
    await t.throwsAsync(writeSubnetEnv(path, environment()), expected);
    await t.throwsAsync(readPreviousRun(path), expected);
  }
  t.is(await readFile(victim, 'utf8'), 'precious');
  t.deepEqual((await readdir(directory)).toSorted(), ['dangling', 'directory', 'link', 'pipe', 'victim']);
});

test('a directory that takes no file gives one clear error and leaves nothing', async (t) => {
  const directory = await scratch(t);
  await writeFile(join(directory, 'file'), '');
  await t.throwsAsync(writeSubnetEnv(join(directory, 'file', 'subnet.env'), environment()), {
    instanceOf: WeftError,
    code: 'SUBNET_FILE_REFUSED',
  });
  await t.throwsAsync(writeSubnetEnv('/proc/weft-subnet.env', environment()), { code: 'SUBNET_FILE_REFUSED' });
  t.deepEqual(await readdir(directory), ['file']);
});
