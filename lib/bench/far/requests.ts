/**
 * What a side of `weft bench --peer` can be asked: a fixed list, each with numbers in bounds and names out of a list. There are
 * no command lines, paths, addresses or ports among them: a side knows its own and those of the other.
 */

import { WeftError } from '../../error.ts';
import type { CpuTimes } from '../../measure/cpu-time.ts';
import type { TcpResult } from '../../measure/iperf3.ts';
import type { RttSample } from '../../measure/rtt.ts';
import type { ReceiveReply, SendReply } from '../../measure/traffic-protocol.ts';
import type { Environment } from '../report.ts';
import { address4, between, type Check, matching, oneOf, orNull, prefix4, vtepMac, whole } from './checks.ts';

/** Where a measurement runs: over the network between the machines, through the running overlay, or through weftds of its own. */
const PLACES = ['underlay', 'overlay', 'pair'] as const;
export type Place = (typeof PLACES)[number];

/** Of the weftds that a side starts. */
const PAIR_BACKENDS = ['udp', 'vxlan'] as const;
export type PairBackend = (typeof PAIR_BACKENDS)[number];

/** A network of the weftd that runs on a machine. */
export interface OverlayNetwork {
  /** '' for the only one of a daemon. */
  readonly name: string;
  readonly backend: string;
  /** "10.244.7.0/24" */
  readonly subnet: string;
  /** Of this machine, in the subnet: what the other one can reach. null: no device has one. */
  readonly address: string | null;
  readonly mtu: number;
}

export interface Usage {
  /** Busy seconds of all CPUs since boot. */
  readonly machine: CpuTimes;
  /** Of the weftd of a place, since its start; null where there is none. */
  readonly daemon: CpuTimes | null;
  /** Of that weftd now. */
  readonly residentBytes: number | null;
}

export interface Description {
  readonly environment: Environment;
  readonly isRoot: boolean;
  /** Of those that are needed, the programs that are not installed. */
  readonly missing: readonly string[];
}

/** No keys, or nothing to say. */
type Nothing = unknown;

/** Requests and their replies. */
interface Exchanges {
  readonly describe: [Nothing, Description];
  /** `networks` is empty without a weftd; `why` says so. */
  readonly overlay: [Nothing, { readonly networks: readonly OverlayNetwork[]; readonly why: string | null }];
  /** Chooses the network, and the other side's address in the subnet of a peer. */
  readonly 'overlay-use': [{ readonly network: string; readonly peer: string; readonly address: string }, Nothing];
  readonly usage: [{ readonly place: Place }, Usage];
  readonly 'tcp-serve': [{ readonly place: Place }, Nothing];
  readonly 'udp-listen': [UdpTrial & { readonly firstWithinMs: number; readonly quietMs: number }, Nothing];
  readonly 'udp-received': [{ readonly place: Place }, Omit<ReceiveReply, 'type'>];
  readonly 'udp-send': [UdpTrial & { readonly rate: number | null; readonly seconds: number }, Omit<SendReply, 'type'>];
  readonly 'pair-start': [{ readonly backend: PairBackend }, { readonly vtepMac: string | null }];
  /** `vtepMac`: of the other side's weftd. */
  readonly 'pair-join': [{ readonly vtepMac: string | null }, Nothing];
  readonly 'pair-stop': [Nothing, Nothing];
  /** Of the near side alone: the far side refuses them. */
  readonly 'tcp-call': [
    { readonly place: Place; readonly streams: number; readonly seconds: number; readonly reverse: boolean },
    TcpResult,
  ];
  readonly ping: [{ readonly place: Place; readonly count: number; readonly intervalSeconds: number }, RttSample];
}

interface UdpTrial {
  readonly place: Place;
  readonly trial: number;
  readonly payloadSize: number;
}

export type RequestType = keyof Exchanges;
export type Request = { [T in RequestType]: { readonly type: T } & Exchanges[T][0] }[RequestType];
export type ReplyTo<T extends RequestType> = Exchanges[T][1];

/** One side, wherever it is. */
export interface Side {
  ask<T extends RequestType>(request: { readonly type: T } & Exchanges[T][0]): Promise<ReplyTo<T>>;
}

const place = oneOf(PLACES);
/** What a UDP trial may take at most, seconds. */
export const LONGEST_TRIAL = 60;
const trial = { place, trial: whole(1, 2 ** 31), payloadSize: whole(8, 65_507) };

/** What the far side takes; every key has to be there, and no other. */
const FAR_REQUESTS: Readonly<Partial<Record<RequestType, Readonly<Record<string, Check>>>>> = {
  describe: {},
  overlay: {},
  'overlay-use': {
    network: matching(/^[^\0]{0,64}$/),
    peer: prefix4,
    address: address4,
  },
  usage: { place },
  'tcp-serve': { place },
  'udp-listen': { ...trial, firstWithinMs: whole(1, 10_000), quietMs: whole(1, 10_000) },
  'udp-received': { place },
  'udp-send': { ...trial, rate: orNull(between(1, 1e9)), seconds: between(0.01, LONGEST_TRIAL) },
  'pair-start': { backend: oneOf(PAIR_BACKENDS) },
  'pair-join': { vtepMac },
  'pair-stop': {},
};

/** A request from the wire. Throws WeftError FAR_REQUEST naming what is wrong. */
export function checkFarRequest(value: unknown): Request {
  if (typeof value !== 'object' || value === null) throw refused('is no object');
  const { type, ...rest } = value as Readonly<Record<string, unknown>>;
  const known = typeof type === 'string' && Object.hasOwn(FAR_REQUESTS, type);
  const checks = known ? FAR_REQUESTS[type as RequestType] : undefined;
  if (checks === undefined) throw refused('is not on the list of measurements');
  for (const key of Object.keys(rest))
    if (!Object.hasOwn(checks, key)) throw refused(`"${String(type)}" has a key too many`);
  for (const [key, check] of Object.entries(checks))
    if (!check(rest[key])) throw refused(`"${String(type)}" has no valid "${key}"`);
  // Each key has just been checked.
  return value as Request;
}

function refused(why: string): WeftError {
  return new WeftError('FAR_REQUEST', `A request ${why}`);
}
