/** From flags and environment to the checked options of one daemon. */
import { type Ipv4, parseIpv4 } from '../../addr/ipv4.ts';
import { type Ipv6, parseIpv6 } from '../../addr/ipv6.ts';
import { tapSocketBeside } from '../../control/tap-protocol.ts';
import type { TosPolicy } from '../../dataplane/segment.ts';
import type { OffloadSwitches } from '../../engine/offloads.ts';
import { WeftError } from '../../error.ts';
import { groupNumber } from '../../sys/group.ts';
import { addressValue, etcdPrefixValue, fileValue, integerValue, oneOf, quote, usage } from './flag-value.ts';
import { FLAGS, IDLE_FLAGS, INSTEAD, UNSUPPORTED_FLAGS } from './flags.ts';
import { environmentVariable, type FlagValues, parseFlags } from './go-flags.ts';
import { type NetworkOptions, parseNetworks } from './network-flag.ts';

/** First prefix wins: ours, then the one flanneld's users have in their unit files. */
const ENVIRONMENT_PREFIXES = ['WEFTD_', 'FLANNELD_'] as const;

/** Variables flanneld reads without a prefix, in its wireguard and Kubernetes modes alone. */
const IDLE_VARIABLES = ['WIREGUARD_KEY_FILE', 'EVENT_QUEUE_DEPTH', 'CONT_WHEN_CACHE_NOT_READY'] as const;

const MINUTE_MS = 60_000;

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
const LOG_FORMATS = ['auto', 'json', 'text'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

export interface EtcdOptions {
  /** A comma-separated list, not checked: lib/store/etcd/endpoints.ts knows its form. */
  readonly endpoints: string;
  /** File names; '' where not given. */
  readonly keyFile: string;
  readonly certFile: string;
  readonly caFile: string;
  readonly username: string;
  readonly password: string;
  /** How long before its end the lease is renewed. */
  readonly renewMarginMs: number;
}

/** Which external interface to take; all empty means the first default route. */
export interface InterfaceOptions {
  readonly iface: readonly string[];
  readonly ifaceRegex: readonly string[];
  readonly ifaceCanReach: Ipv4 | undefined;
  readonly publicIp: Ipv4 | undefined;
  readonly publicIpv6: Ipv6 | undefined;
}

export interface DaemonOptions {
  readonly etcd: EtcdOptions;
  readonly interface: InterfaceOptions;
  /** One at least. */
  readonly networks: readonly NetworkOptions[];
  readonly controlSocket: string;
  /** Number of the group that may use it too. */
  readonly controlGroup: number | undefined;
  /** Undefined: nobody sees packets. */
  readonly tapSocket: string | undefined;
  /** It was asked for, so that a daemon without it is not what was wanted. */
  readonly tapSocketGiven: boolean;
  readonly tapGroup: number | undefined;
  /** For what has to outlive a restart. */
  readonly stateDir: string;
  readonly healthz: { readonly ip: string; readonly port: number } | undefined;
  readonly offload: OffloadSwitches;
  readonly sourceCheck: boolean;
  readonly tos: TosPolicy;
  /** How often each peer is probed; 'auto': by their number. */
  readonly probeIntervalMs: number | 'auto' | 'off';
  readonly forwardRules: boolean;
  readonly logFormat: LogFormat;
  readonly logLevel: LogLevel;
}

export type OptionsResult =
  | { readonly action: 'help' }
  | { readonly action: 'version' }
  | {
      readonly action: 'run';
      readonly options: DaemonOptions;
      /** What was set, for the log: flag -> value and origin. The password is not in it. */
      readonly given: Readonly<Record<string, string>>;
      /** WEFTD_ and FLANNELD_ variables that name no flag: probably a typing mistake. */
      readonly unknownVariables: readonly string[];
      /** Flags and variables of flanneld that were given and have no effect: "-vmodule", "EVENT_QUEUE_DEPTH". */
      readonly withoutEffect: readonly string[];
    };

type Environment = Readonly<Record<string, string | undefined>>;

/** Throws WeftError USAGE or UNSUPPORTED_OPTION. */
export function readOptions(argv: readonly string[], environment: Environment): OptionsResult {
  const { values, origins, help } = parseFlags(FLAGS, argv, environment, ENVIRONMENT_PREFIXES);
  if (help) return { action: 'help' };
  if (values.version) return { action: 'version' };
  refuseUnsupported(values, origins);
  const idleCaFile = caFileOrigin(values, origins);
  return {
    action: 'run',
    options: toOptions(idleCaFile === undefined ? values : { ...values, 'etcd-cafile': '' }, origins),
    given: describeGiven(values, origins),
    unknownVariables: unknownVariables(environment),
    withoutEffect: [
      ...(idleCaFile === undefined ? [] : [idleCaFile]),
      ...IDLE_FLAGS.filter((name) => values[name] !== FLAGS[name].default).map((name) => origins.get(name) ?? name),
      ...IDLE_VARIABLES.filter((name) => (environment[name] ?? '') !== ''),
    ],
  };
}

/**
 * Where -etcd-cafile came from, if it is the only TLS file and every endpoint says http://: flanneld speaks plain http then,
 * whether the file is there or not. Undefined if it counts.
 */
function caFileOrigin(values: FlagValues<typeof FLAGS>, origins: ReadonlyMap<string, string>): string | undefined {
  if (values['etcd-cafile'] === '' || values['etcd-certfile'] !== '' || values['etcd-keyfile'] !== '') return undefined;
  const endpoints = values['etcd-endpoints'].split(',').filter((text) => text.trim() !== '');
  if (!endpoints.every((text) => /^http:\/\//i.test(text.trim()))) return undefined;
  return origins.get('etcd-cafile');
}

function toOptions(values: FlagValues<typeof FLAGS>, origins: ReadonlyMap<string, string>): DaemonOptions {
  const offload = oneOf('offload', values.offload, ['auto', 'off'] as const);
  const renewMargin = integerValue('subnet-lease-renew-margin', values['subnet-lease-renew-margin'], 1, 1439);
  const healthzPort = integerValue('healthz-port', values['healthz-port'], 0, 65535);
  const level = values.v >= 4 ? 'trace' : values.v >= 1 ? 'debug' : 'info';
  return {
    etcd: {
      endpoints: values['etcd-endpoints'],
      keyFile: values['etcd-keyfile'],
      certFile: values['etcd-certfile'],
      caFile: values['etcd-cafile'],
      username: values['etcd-username'],
      password: values['etcd-password'],
      renewMarginMs: renewMargin * MINUTE_MS,
    },
    interface: {
      iface: values.iface,
      ifaceRegex: values['iface-regex'],
      ifaceCanReach: addressValue('iface-can-reach', values['iface-can-reach'], parseIpv4),
      publicIp: addressValue('public-ip', values['public-ip'], parseIpv4),
      publicIpv6: addressValue('public-ipv6', values['public-ipv6'], parseIpv6),
    },
    networks: networks(values, origins),
    controlSocket: fileValue('control-socket', values['control-socket']),
    controlGroup: groupValue('control-group', values['control-group']),
    tapSocket: tapSocket(values, origins),
    tapSocketGiven: origins.has('tap-socket'),
    tapGroup: groupValue('tap-group', values['tap-group']),
    stateDir: fileValue('state-dir', values['state-dir']),
    healthz: healthzPort === 0 ? undefined : { ip: healthzAddress(values['healthz-ip']), port: healthzPort },
    offload: {
      auto: offload === 'auto',
      tunTso: values['tun-tso'],
      tunUso: values['tun-uso'],
      tunGro: values['tun-gro'],
      udpGso: values['udp-gso'],
      udpGro: values['udp-gro'],
    },
    sourceCheck: values['source-check'],
    tos: tosPolicy(values, origins),
    probeIntervalMs: probeInterval(values['peer-probe-interval']),
    forwardRules: values['iptables-forward-rules'],
    logFormat: oneOf('log-format', values['log-format'], LOG_FORMATS),
    logLevel: origins.has('log-level') ? oneOf('log-level', values['log-level'], LOG_LEVELS) : level,
  };
}

/** Without -network it is flanneld's one network. */
function networks(values: FlagValues<typeof FLAGS>, origins: ReadonlyMap<string, string>): readonly NetworkOptions[] {
  if (!origins.has('network')) {
    const etcdPrefix = etcdPrefixValue('etcd-prefix', values['etcd-prefix']);
    const subnetFile = fileValue('subnet-file', values['subnet-file']);
    return [{ name: '', etcdPrefix, subnetFile, netns: undefined }];
  }
  for (const name of ['etcd-prefix', 'subnet-file']) {
    const origin = origins.get(name);
    if (origin === undefined) continue;
    const message = `${origin} has no meaning beside ${origins.get('network')}`;
    throw usage(message, `each value of -network has its own ${name}; remove ${origin}`);
  }
  return parseNetworks(values.network);
}

/** Daemons that have a control socket each have a tap each. */
function tapSocket(values: FlagValues<typeof FLAGS>, origins: ReadonlyMap<string, string>): string | undefined {
  if (!origins.has('tap-socket')) return tapSocketBeside(values['control-socket']);
  return values['tap-socket'] === '' ? undefined : fileValue('tap-socket', values['tap-socket']);
}

function groupValue(name: string, text: string): number | undefined {
  if (text === '') return undefined;
  const number = groupNumber(text);
  if (number === undefined) throw usage(`invalid value ${quote(text)} for -${name}: no such group in /etc/group`);
  return number;
}

function probeInterval(text: string): DaemonOptions['probeIntervalMs'] {
  if (text === 'auto' || text === 'off') return text;
  const [, number, unit = ''] = /^(\d{1,5})(s|m|h)$/.exec(text) ?? [];
  const ms = Number(number) * { s: 1000, m: MINUTE_MS, h: 60 * MINUTE_MS }[unit]!;
  if (!(ms >= 1000 && ms <= 60 * MINUTE_MS))
    throw usage(
      `invalid value ${quote(text)} for -peer-probe-interval: must be auto, off, or 1s to 1h, such as 30s or 5m`,
    );
  return ms;
}

function tosPolicy(values: FlagValues<typeof FLAGS>, origins: ReadonlyMap<string, string>): TosPolicy {
  const mode = oneOf('tos', values.tos, ['fixed', 'inherit'] as const);
  const dscp = integerValue('dscp', values.dscp, 0, 63);
  if (mode === 'fixed') return { mode, dscp };
  const origin = origins.get('dscp');
  if (origin === undefined) return { mode };
  throw usage(`${origin} has no meaning with -tos=inherit`, 'with inherit the DSCP is that of the inner packet');
}

/** Setting what is not there would be ignored in silence otherwise, and the user would find out from lost packets. */
function refuseUnsupported(values: FlagValues<typeof FLAGS>, origins: ReadonlyMap<string, string>): void {
  for (const name of UNSUPPORTED_FLAGS) {
    const origin = origins.get(name);
    if (origin === undefined || values[name] === FLAGS[name].default) continue;
    const message = `${origin}=${values[name]} is not supported yet; only the default ${FLAGS[name].default} is`;
    throw new WeftError('UNSUPPORTED_OPTION', message, { hint: `remove ${origin}, ${INSTEAD[name]}` });
  }
}

function healthzAddress(text: string): string {
  if (parseIpv4(text) === undefined && parseIpv6(text) === undefined)
    throw usage(`invalid value ${quote(text)} for -healthz-ip: not an IP address`);
  return text;
}

function describeGiven(
  values: FlagValues<typeof FLAGS>,
  origins: ReadonlyMap<string, string>,
): Readonly<Record<string, string>> {
  const given: Record<string, string> = {};
  for (const name of Object.keys(values) as (keyof typeof values)[]) {
    const origin = origins.get(name);
    if (origin === undefined) continue;
    // As one variable would hold them; the values of -network have commas inside.
    const text = name === 'network' ? values[name].join(';') : String(values[name]);
    given[origin] = name === 'etcd-password' ? '(hidden)' : withoutUserInfo(text);
  }
  return given;
}

/** A password may stand in a URL where none belongs; the store refuses it without showing it, and so does the log. */
function withoutUserInfo(text: string): string {
  return text.replace(/\/\/[^/,]*@/g, '//(hidden)@');
}

function unknownVariables(environment: Environment): string[] {
  const known = new Set(
    ENVIRONMENT_PREFIXES.flatMap((prefix) => Object.keys(FLAGS).map((name) => environmentVariable(prefix, name))),
  );
  return Object.keys(environment).filter(
    (variable) => ENVIRONMENT_PREFIXES.some((prefix) => variable.startsWith(prefix)) && !known.has(variable),
  );
}
