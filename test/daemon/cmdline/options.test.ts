import test from 'ava';
import { usageText } from '../../../lib/daemon/cmdline/flags.ts';
import { type DaemonOptions, readOptions } from '../../../lib/daemon/cmdline/options.ts';
import { WeftError } from '../../../lib/error.ts';

function run(argv: readonly string[], environment: Record<string, string> = {}): DaemonOptions {
  const result = readOptions(argv, environment);
  if (result.action !== 'run') throw new Error(`action is ${result.action}`);
  return result.options;
}

test("the defaults are flanneld's", (t) => {
  t.deepEqual(run([]), {
    etcd: {
      endpoints: 'http://127.0.0.1:4001,http://127.0.0.1:2379',
      keyFile: '',
      certFile: '',
      caFile: '',
      username: '',
      password: '',
      renewMarginMs: 3_600_000,
    },
    interface: { iface: [], ifaceRegex: [], ifaceCanReach: undefined, publicIp: undefined, publicIpv6: undefined },
    networks: [
      { name: '', etcdPrefix: '/coreos.com/network', subnetFile: '/run/flannel/subnet.env', netns: undefined },
    ],
    controlSocket: '/run/weft/weft.sock',
    controlGroup: undefined,
    tapSocket: '/run/weft/tap.sock',
    tapSocketGiven: false,
    tapGroup: undefined,
    stateDir: '/var/lib/weft',
    healthz: undefined,
    offload: { auto: true, tunTso: true, tunUso: true, tunGro: true, udpGso: true, udpGro: true },
    sourceCheck: true,
    tos: { mode: 'fixed', dscp: 0 },
    probeIntervalMs: 'auto',
    forwardRules: true,
    logFormat: 'auto',
    logLevel: 'info',
  });
});

test('how often peers are probed: auto, off, or one second to one hour', (t) => {
  const of = (text: string) => run([`--peer-probe-interval=${text}`]).probeIntervalMs;
  t.is(of('auto'), 'auto');
  t.is(of('off'), 'off');
  t.deepEqual([of('1s'), of('90s'), of('5m'), of('1h')], [1000, 90_000, 300_000, 3_600_000]);
  for (const text of ['', '0s', '500ms', '10', '-5s', '2h', '61m', '1.5s', 's', 'AUTO', '999999s']) {
    const error = t.throws<WeftError>(() => of(text));
    t.is(error.code, 'USAGE', text);
    t.true(error.message.includes('-peer-probe-interval'), error.message);
  }
});

test('a flanneld command line is understood as it is', (t) => {
  const argv =
    '-etcd-endpoints=http://192.0.2.1:2379/,http://192.0.2.2:2379 --etcd-prefix /kube/net/ -iface eth1 --iface=eth2 -ip-masq=false --healthz-port=8081 -v=10';
  const options = run(argv.split(' '));
  t.is(options.etcd.endpoints, 'http://192.0.2.1:2379/,http://192.0.2.2:2379');
  t.is(options.networks[0]?.etcdPrefix, '/kube/net');
  t.deepEqual(options.interface.iface, ['eth1', 'eth2']);
  t.deepEqual(options.healthz, { ip: '0.0.0.0', port: 8081 });
  t.is(options.logLevel, 'trace');
});

test('WEFTD_ wins over FLANNELD_, and a flag over both', (t) => {
  const environment = {
    FLANNELD_ETCD_PREFIX: '/f',
    WEFTD_ETCD_PREFIX: '/w',
    FLANNELD_SUBNET_FILE: '/f',
    FLANNELD_OFFLOAD: 'off',
  };
  t.is(run([], environment).networks[0]?.etcdPrefix, '/w');
  t.is(run(['-etcd-prefix=/x'], environment).networks[0]?.etcdPrefix, '/x');
  t.is(run([], environment).networks[0]?.subnetFile, '/f');
  t.false(run([], environment).offload.auto);
});

test('-log-level wins over -v', (t) => {
  t.is(run(['-v=1']).logLevel, 'debug');
  t.is(run(['-v=5', '-log-level=warn']).logLevel, 'warn');
});

test('the outer DSCP is fixed or inherited', (t) => {
  t.deepEqual(run(['-tos=fixed', '-dscp=46']).tos, { mode: 'fixed', dscp: 46 });
  t.deepEqual(run(['-dscp=63']).tos, { mode: 'fixed', dscp: 63 });
  t.deepEqual(run(['-tos=inherit']).tos, { mode: 'inherit' });
});

for (const argument of ['-ip-masq=true', '-ip-blackhole-route=true', '-kube-subnet-mgr=true'])
  test(`refuses ${argument}, whose feature is not there`, (t) => {
    const error = t.throws(() => run([argument]), { instanceOf: WeftError, code: 'UNSUPPORTED_OPTION' });
    t.true(error?.message.startsWith(`${argument} is not supported yet`), error?.message);
  });

test('refusing -ip-masq says what to type instead, for Docker too (F6)', (t) => {
  const { hint = '' } = t.throws(() => run(['-ip-masq']), { instanceOf: WeftError }) ?? {};
  t.true(hint.includes('iptables -t nat -A POSTROUTING -s 10.244.0.0/16 ! -d 10.244.0.0/16 -j MASQUERADE'), hint);
  t.true(hint.includes('iptables -I FORWARD -s 10.244.0.0/16 -j ACCEPT'), hint);
});

function withoutEffect(argv: readonly string[], environment: Record<string, string> = {}): readonly string[] {
  const result = readOptions(argv, environment);
  return result.action === 'run' ? result.withoutEffect : [];
}

const idle: readonly string[] = [
  '-ip-masq-fully-random-disable=true',
  '-iptables-resync=10',
  '-kube-api-url=https://k',
  '-kube-annotation-prefix=x',
  '-kubeconfig-file=/x',
  '-net-config-path=/x',
  '-set-node-network-unavailable=false',
  '-vmodule=x=1',
  '-log_backtrace_at=x:1',
];
for (const argument of idle)
  test(`${argument}, with which flanneld does nothing beside etcd, is accepted and named (F3)`, (t) => {
    t.deepEqual(withoutEffect([argument]), [argument.slice(0, argument.indexOf('='))]);
  });

test('what flanneld ignores is accepted from the environment as well (F3)', (t) => {
  const environment = {
    FLANNELD_IPTABLES_RESYNC: '7',
    EVENT_QUEUE_DEPTH: '5000',
    CONT_WHEN_CACHE_NOT_READY: 'true',
    WIREGUARD_KEY_FILE: '/k',
  };
  t.deepEqual(withoutEffect([], environment).toSorted(), Object.keys(environment).toSorted());
});

test('flags whose feature is not there are accepted at their default, without a word', (t) => {
  const argv = ['-ip-masq=false', '-iptables-resync=5', '-kube-annotation-prefix=flannel.alpha.coreos.com'];
  t.deepEqual(withoutEffect([...argv, '-iptables-forward-rules=false']), []);
});

test('an unsupported feature asked for in the environment is refused too', (t) => {
  t.throws(() => run([], { FLANNELD_IP_MASQ: 'true' }), { message: /^FLANNELD_IP_MASQ=true is not supported yet/ });
});

test('a lone CA file counts for nothing where every endpoint is http://, and elsewhere as before (F3)', (t) => {
  const ca = '-etcd-cafile=/missing.pem';
  for (const endpoints of ['http://a:1', ' HTTP://a:1 , http://b:2/,']) {
    const argv = [ca, `-etcd-endpoints=${endpoints}`];
    t.is(run(argv).etcd.caFile, '');
    t.deepEqual(withoutEffect(argv), ['-etcd-cafile']);
  }
  for (const more of ['-etcd-endpoints=https://a:1', '-etcd-endpoints=a:1', '-etcd-certfile=/c', '-etcd-keyfile=/k']) {
    t.is(run([ca, more]).etcd.caFile, '/missing.pem', more);
    t.deepEqual(withoutEffect([ca, more]), [], more);
  }
});

const prefixes: readonly (readonly [text: string, prefix: string])[] = [
  ['coreos.com/network', 'coreos.com/network'],
  ['/coreos.com/network', '/coreos.com/network'],
  ['a//b/', 'a/b'],
  ['//a/./b/../c//', '/a/c'],
];
for (const [text, prefix] of prefixes)
  test(`-etcd-prefix=${text} makes flanneld's keys, below ${prefix} (L12)`, (t) => {
    t.is(run([`-etcd-prefix=${text}`]).networks[0]?.etcdPrefix, prefix);
  });

const invalid: readonly (readonly [argument: string, message: RegExp])[] = [
  ['-subnet-lease-renew-margin=0', /must be 1 to 1439/],
  ['-subnet-lease-renew-margin=1440', /must be 1 to 1439/],
  ['-etcd-prefix=/', /empty/],
  ['-etcd-prefix=', /empty/],
  ['-public-ip=1.2.3', /^invalid value "1.2.3" for -public-ip/],
  ['-public-ip=010.0.0.1', /^invalid value/],
  ['-public-ipv6=192.0.2.1', /^invalid value/],
  ['-iface-can-reach=host', /^invalid value/],
  ['-healthz-port=65536', /must be 0 to 65535/],
  ['-offload=on', /must be auto, off/],
  ['-log-format=xml', /must be auto, json, text/],
  ['-log-level=loud', /must be trace/],
  ['-subnet-file=', /not a file name/],
  ['-state-dir=', /not a file name/],
  ['-dscp=64', /must be 0 to 63/],
  ['-dscp=-1', /must be 0 to 63/],
  ['-tos=copy', /must be fixed, inherit/],
];
for (const [argument, message] of invalid)
  test(`refuses ${argument}`, (t) => {
    t.throws(() => run([argument]), { instanceOf: WeftError, code: 'USAGE', message });
  });

test('a DSCP beside -tos=inherit is refused, wherever it came from', (t) => {
  t.throws(() => run(['-tos=inherit', '-dscp=10']), { code: 'USAGE', message: /^-dscp has no meaning/ });
  t.throws(() => run(['-tos=inherit'], { WEFTD_DSCP: '10' }), { code: 'USAGE', message: /^WEFTD_DSCP has no/ });
});

test('the password does not appear in what is logged', (t) => {
  const result = readOptions(['-etcd-password=hunter2'], { FLANNELD_ETCD_USERNAME: 'root' });
  t.is(result.action, 'run');
  if (result.action !== 'run') return;
  t.deepEqual(result.given, { '-etcd-password': '(hidden)', FLANNELD_ETCD_USERNAME: 'root' });
  t.is(result.options.etcd.password, 'hunter2');
  const url = readOptions(['-etcd-endpoints=http://a:1,https://root:hun@ter2@h:1/'], {});
  t.deepEqual(url.action === 'run' ? url.given : {}, { '-etcd-endpoints': 'http://a:1,https://(hidden)@h:1/' });
});

test('several networks are logged as one variable would hold them', (t) => {
  const values = ['a', 'b'].map((name) => `name=${name},etcd-prefix=/${name},subnet-file=/${name}.env`);
  const result = readOptions(
    values.map((value) => `-network=${value}`),
    {},
  );
  t.deepEqual(result.action === 'run' ? result.given : {}, { '-network': values.join(';') });
});

test('variables that name no flag are reported', (t) => {
  const result = readOptions([], { WEFTD_ETCD_ENDPOINT: 'x', FLANNELD_IFACE: 'eth1', HOME: '/root' });
  t.deepEqual(result.action === 'run' ? result.unknownVariables : [], ['WEFTD_ETCD_ENDPOINT']);
});

test('help names every group, and help and version win over bad options', (t) => {
  t.is(readOptions(['-help'], {}).action, 'help');
  t.is(readOptions(['--version', '-ip-masq'], {}).action, 'version');
  for (const word of ['-etcd-endpoints string', '-iface value', 'WEFTD_', '-source-check', 'Examples:'])
    t.true(usageText().includes(word), word);
});
