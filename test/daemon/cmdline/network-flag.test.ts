import test from 'ava';
import type { NetworkOptions } from '../../../lib/daemon/cmdline/network-flag.ts';
import { readOptions } from '../../../lib/daemon/cmdline/options.ts';
import { WeftError } from '../../../lib/error.ts';

function networks(argv: readonly string[], environment: Record<string, string> = {}): readonly NetworkOptions[] {
  const result = readOptions(argv, environment);
  if (result.action !== 'run') throw new Error(`action is ${result.action}`);
  return result.options.networks;
}

const BLUE = 'name=blue,etcd-prefix=/tenants/blue,subnet-file=/run/flannel/blue.env';
const RED = 'name=red-2,etcd-prefix=tenants//red/,subnet-file=/run/flannel/red.env';

const blue = {
  name: 'blue',
  etcdPrefix: '/tenants/blue',
  subnetFile: '/run/flannel/blue.env',
  netns: undefined,
};
const red = { name: 'red-2', etcdPrefix: 'tenants/red', subnetFile: '/run/flannel/red.env', netns: undefined };

test('each -network is one network, in their order', (t) => {
  t.deepEqual(networks([`-network=${BLUE}`, '--network', RED]), [blue, red]);
});

test('the environment holds several in one variable', (t) => {
  t.deepEqual(networks([], { WEFTD_NETWORK: `${RED}; ${BLUE}` }), [red, blue]);
});

const namespaces: readonly (readonly [value: string, path: string])[] = [
  ['blue', '/run/netns/blue'],
  ['/run/netns/x', '/run/netns/x'],
  ['/proc/4711/ns/net', '/proc/4711/ns/net'],
];
for (const [value, path] of namespaces)
  test(`netns=${value} is ${path}`, (t) => {
    t.deepEqual(networks([`-network=${BLUE},netns=${value}`]), [{ ...blue, netns: path }]);
  });

const wrong: readonly (readonly [values: readonly string[], message: RegExp])[] = [
  [[''], /^invalid value "" for -network: "" is none of name=, etcd-prefix=, subnet-file=, netns=$/],
  [['blue'], /"blue" is none of name=/],
  [[`${BLUE},`], /"" is none of/],
  [[`${BLUE};`], /^invalid value "" for -network/],
  [[`${BLUE},vni=7`], /"vni=7" is none of/],
  [[`${BLUE},constructor=1`], /"constructor=1" is none of/],
  [[`${BLUE},name=green`], /: name is given twice$/],
  [['etcd-prefix=/a,subnet-file=/a'], /: name is missing$/],
  [['name=,etcd-prefix=/a,subnet-file=/a'], /: name is missing$/],
  [['name=blue,subnet-file=/a'], /: etcd-prefix is missing$/],
  [['name=blue,etcd-prefix=/a'], /: subnet-file is missing$/],
  [['name=blue,etcd-prefix=/,subnet-file=/a'], /^-network: etcd-prefix is empty$/],
  [['name=Blue,etcd-prefix=/a,subnet-file=/a'], /name "Blue" must be 1 to 15 characters of a-z, 0-9 and "-"$/],
  [['name=a23456789012345x,etcd-prefix=/a,subnet-file=/a'], /name "a23456789012345x" must be 1 to 15/],
  [['name=a b,etcd-prefix=/a,subnet-file=/a'], /name "a b" must be/],
  [['name=../x,etcd-prefix=/a,subnet-file=/a'], /name "..\/x" must be/],
  [[`${BLUE},netns=`], /netns "" must be a name/],
  [[`${BLUE},netns=..`], /netns ".." must be a name/],
  [[`${BLUE},netns=a/b`], /netns "a\/b" must be a name .* or a path that begins with a slash$/],
  [[BLUE, BLUE], /^two values of -network have name blue$/],
  [
    [BLUE, 'name=b,etcd-prefix=//tenants/blue/,subnet-file=/b'],
    /^networks blue and b of -network have the same etcd-prefix "\/tenants\/blue"$/,
  ],
  [
    [BLUE, 'name=b,etcd-prefix=/b,subnet-file=/run/../run/flannel/./blue.env'],
    /^networks blue and b of -network have the same subnet-file/,
  ],
];
for (const [values, message] of wrong)
  test(`refuses ${values.map((value) => `-network=${value}`).join(' ')}`, (t) => {
    const argv = values.map((value) => `-network=${value}`);
    const error = t.throws(() => networks(argv), { instanceOf: WeftError, code: 'USAGE', message });
    t.true((error?.hint ?? '').length > 0);
  });

test('-etcd-prefix and -subnet-file have no place beside -network, wherever they come from', (t) => {
  t.throws(() => networks([`-network=${BLUE}`, '-etcd-prefix=/x']), {
    code: 'USAGE',
    message: '-etcd-prefix has no meaning beside -network',
  });
  t.throws(() => networks([], { WEFTD_NETWORK: BLUE, FLANNELD_SUBNET_FILE: '/x' }), {
    code: 'USAGE',
    message: 'FLANNELD_SUBNET_FILE has no meaning beside WEFTD_NETWORK',
  });
});
