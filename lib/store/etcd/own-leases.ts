/** Takes the lease of this node, and has it kept until another is taken or it is lost. */
import { WeftError } from '../../error.ts';
import { type Choice, chooseSubnets } from '../../lease/allocate.ts';
import type { SubnetPair } from '../../lease/lease.ts';
import { encodeLeaseAttrs } from '../../lease/lease-attrs.ts';
import { formatSubnetKey } from '../../lease/subnet-key.ts';
import type { AcquireRequest, OwnLease } from '../store.ts';
import type { EtcdClient } from './client.ts';
import { LeaseKeeper, type LeaseKeeperOptions } from './lease-keeper.ts';
import type { LeaseKeys } from './lease-keys.ts';
import { LeaseRemover } from './lease-remover.ts';
import { instantOf } from './lease-term.ts';
import type { KeyChange, StoredKey } from './lease-view.ts';
import { type LeaseWrite, LeaseWriter, type Written } from './lease-writer.ts';

/** What a keeper has of every lease. */
type OfAll = 'networkConfig' | 'marginMs' | 'retryMs' | 'yieldMs' | 'clocks' | 'random' | 'log';

export interface OwnLeasesOptions extends Pick<LeaseKeeperOptions, OfAll> {
  readonly client: EtcdClient;
  readonly keys: LeaseKeys;
  readonly ttlSeconds: number;
}

/** How often a lost race is tried again. flannel means to as well (raceRetries), but never does. */
const ATTEMPTS = 10;

interface Chosen {
  readonly choice: Choice<StoredKey>;
  readonly subnets: SubnetPair;
  readonly origin: OwnLease['origin'];
  /** Of the list that it was chosen from. */
  readonly revision: string;
}

export class OwnLeases {
  readonly #options: OwnLeasesOptions;
  readonly #writer: LeaseWriter;
  readonly #remover: LeaseRemover;
  #keeper: LeaseKeeper | undefined;
  #last: { readonly key: string; readonly publicIp: number } | undefined;
  #stopped = false;

  constructor(options: OwnLeasesOptions) {
    this.#options = options;
    const { client, ttlSeconds, clocks, random, log } = options;
    this.#writer = new LeaseWriter({ client, ttlSeconds, clocks, log });
    this.#remover = new LeaseRemover({ writer: this.#writer, random, log });
  }

  /** The lease that was taken last, be it lost or not. */
  get last(): { readonly key: string; readonly publicIp: number } | undefined {
    return this.#last;
  }

  /** Unix time in ms; undefined without a lease, and for a reservation. */
  get expiresAtMs(): number | undefined {
    return this.#keeper?.expiresAtMs;
  }

  stop(): void {
    this.#stopped = true;
    this.#keeper?.stop();
    this.#remover.stop();
  }

  /** A watch has listed all keys. */
  listed(keys: readonly StoredKey[]): void {
    this.#keeper?.listed(keys);
  }

  /** A watch has seen these. */
  changed(changes: readonly KeyChange[]): void {
    this.#keeper?.changed(changes);
  }

  /** See LeaseStore. */
  async acquire(request: AcquireRequest): Promise<OwnLease> {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const own = await this.#tryToAcquire(request);
      if (own !== undefined) return own;
    }
    throw new WeftError('LEASE_CONTENDED', `Lost the race for a subnet ${ATTEMPTS} times to other nodes`, {
      hint: 'start again; with a larger Network the nodes would meet less often',
    });
  }

  /** One choice, one write; undefined when the race was lost. */
  async #tryToAcquire(request: AcquireRequest): Promise<OwnLease | undefined> {
    const first = await this.#choose(request, request.previous);
    if (request.prepare === undefined) return this.#write(request, first);
    await request.prepare(first.subnets);
    // That took a while: is it still the choice?
    const second = await this.#choose(request, first.subnets);
    if (formatSubnetKey(second.subnets) !== formatSubnetKey(first.subnets)) return undefined;
    const origin = second.origin === 'previous' ? first.origin : second.origin;
    return this.#write(request, { ...second, origin });
  }

  /** One list. */
  async #choose({ config, attrs, written }: AcquireRequest, previous: SubnetPair | undefined): Promise<Chosen> {
    const { client, keys, random } = this.#options;
    const { kvs, header } = await client.range(keys.range);
    const isOwnWrite = (key: StoredKey): boolean => versionOf(header.clusterId, key) === written;
    const held = keys.read(kvs);
    const choice = chooseSubnets({ config, publicIp: attrs.publicIp, previous, held, isOwnWrite, random });
    const subnets = choice.origin === 'reused' ? choice.held.lease.subnets : choice.subnets;
    return { choice, subnets, origin: choice.origin, revision: header.revision };
  }

  async #write(request: AcquireRequest, { choice, subnets, origin, revision }: Chosen): Promise<OwnLease | undefined> {
    const { keys, clocks } = this.#options;
    const { config, attrs } = request;
    if (choice.replacesFirst) await this.#remover.remove(choice.replaces);
    const write = { key: keys.keyOf(subnets), value: encodeLeaseAttrs(attrs) };
    const written = await this.#take(choice, write, config.ipv6 === undefined ? undefined : revision);
    if (!written.written) return undefined;
    this.#last = { key: formatSubnetKey(subnets), publicIp: attrs.publicIp };
    this.#keep(request, subnets, written);
    await this.#remover.remove(choice.replaces);
    const expiresAtMs = written.term?.expiresAtMs(instantOf(clocks));
    return { lease: { subnets, attrs, expiresAtMs }, origin };
  }

  #take(choice: Choice<StoredKey>, write: Omit<LeaseWrite, 'expected'>, dualStackRevision: string | undefined) {
    if (choice.origin === 'reused') {
      const { modRevision, reserved } = choice.held;
      const rewrite = { ...write, expected: { modRevision } };
      // A reservation has no grant and must stay without one.
      return reserved ? this.#writer.writeWithoutGrant(rewrite) : this.#writer.writeOnNewGrant(rewrite);
    }
    const take: LeaseWrite = { ...write, expected: 'absent' };
    if (dualStackRevision === undefined) return this.#writer.writeOnNewGrant(take);
    // A dual-stack key names two subnets: another node may take one of them under another key, and flanneld does not notice.
    const unchangedSince = { range: this.#options.keys.range, revision: dualStackRevision };
    return this.#writer.writeOnNewGrant({ ...take, unchangedSince });
  }

  #keep({ attrs, onWritten, onCondition }: AcquireRequest, subnets: SubnetPair, written: Written): void {
    this.#keeper?.stop();
    const { client, keys } = this.#options;
    const keeper = new LeaseKeeper(
      {
        ...this.#options,
        writer: this.#writer,
        key: formatSubnetKey(subnets),
        fullKey: keys.keyOf(subnets),
        subnets,
        value: encodeLeaseAttrs(attrs),
        publicIp: attrs.publicIp,
        list: async () => {
          const { kvs, header } = await client.range(keys.range);
          return { ...header, keys: keys.read(kvs) };
        },
        onWritten: ({ clusterId, modRevision }) =>
          onWritten?.(versionOf(clusterId, { key: formatSubnetKey(subnets), modRevision })),
        onCondition: (condition) => {
          if (condition.kind === 'lost' && this.#keeper === keeper) this.#keeper = undefined;
          onCondition?.(condition);
        },
      },
      written,
    );
    this.#keeper = keeper;
    if (this.#stopped) keeper.stop();
  }
}

/** Of a key in one cluster. */
export function versionOf(clusterId: string, { key, modRevision }: Pick<StoredKey, 'key' | 'modRevision'>): string {
  return `${clusterId} ${key} ${modRevision}`;
}
