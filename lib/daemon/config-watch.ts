/**
 * Notices that the network configuration in etcd is no longer the one a network runs with. Nothing of it is taken over under
 * way: a subnet, a device and the other nodes depend on it. So somebody has to be told.
 */
import { formatPrefix } from '../addr/prefix.ts';
import { quotePlain } from '../backend/option.ts';
import { WeftError } from '../error.ts';
import type { FaultSink } from '../faults.ts';
import { findOption } from '../lease/backend-option.ts';
import { foldKey, quoteText } from '../lease/go-json.ts';
import type { NetworkConfig } from '../lease/network-config.ts';

export interface ConfigWatchOptions {
  /** What the network runs with. */
  readonly running: NetworkConfig;
  /** "/coreos.com/network/config" */
  readonly key: string;
  /** Rejects with WeftError. */
  readonly read: () => Promise<NetworkConfig>;
  readonly faults: FaultSink;
  /** From the end of one reading to the next. */
  readonly intervalMs: number;
}

export class ConfigWatch {
  readonly #options: ConfigWatchOptions;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: ConfigWatchOptions) {
    this.#options = options;
    this.#wait();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #wait(): void {
    this.#timer = setTimeout(() => {
      void this.#look().finally(() => {
        if (!this.#closed) this.#wait();
      });
    }, this.#options.intervalMs).unref();
  }

  /** What cannot be read says nothing about the configuration: it stays as it was known. */
  async #look(): Promise<void> {
    const { running, key, read, faults } = this.#options;
    let text: string | undefined;
    try {
      const changes = configChanges(running, await read());
      if (changes.length > 0) text = `The configuration at ${key} has changed: ${changes.join(', ')}; ${CONSEQUENCE}`;
    } catch (error) {
      if (!(error instanceof WeftError) || !NOT_USABLE.has(error.code)) return;
      text = `${error.message}; this node goes on with the one of its start, and would wait for another at the next start`;
    }
    if (!this.#closed) faults.report('configuration', text === undefined ? [] : [{ text, blocks: false }]);
  }
}

const NOT_USABLE: ReadonlySet<string> = new Set(['CONFIG_MISSING', 'CONFIG_INVALID']);
const CONSEQUENCE =
  'nodes that start from now on use it, this one changes nothing until weftd is restarted (one node after the other)';

/** "SubnetLen 24 to 26", one for each field that differs; nothing for what means the same. Longer values are cut. */
export function configChanges(before: NetworkConfig, after: NetworkConfig): string[] {
  const [was, is] = [fieldsOf(before), fieldsOf(after)];
  const keys = new Set([...was.keys(), ...is.keys()]);
  return [...keys].flatMap((key) => {
    const [a, b] = [was.get(key), is.get(key)];
    if (a?.value === b?.value) return [];
    return [`${(b ?? a)?.name} ${a?.value ?? 'not given'} to ${b?.value ?? 'not given'}`];
  });
}

interface Field {
  /** As it is written. */
  readonly name: string;
  readonly value: string;
}

/** By their names in one case, as they are read: another spelling is no change. */
function fieldsOf({ ipv6, backend, ...config }: NetworkConfig): Map<string, Field> {
  const { network, subnetLen, subnetMin, subnetMax, enableIpv6, backendType } = config;
  const fields: Record<string, string> = {
    Network: formatPrefix(network),
    SubnetLen: `${subnetLen}`,
    SubnetMin: formatPrefix(subnetMin),
    SubnetMax: formatPrefix(subnetMax),
    EnableIPv6: `${enableIpv6}`,
    ...(ipv6 && {
      IPv6Network: formatPrefix(ipv6.network),
      IPv6SubnetLen: `${ipv6.subnetLen}`,
      IPv6SubnetMin: formatPrefix(ipv6.subnetMin),
      IPv6SubnetMax: formatPrefix(ipv6.subnetMax),
    }),
    'Backend.Type': quoteText(backendType, 40),
  };
  for (const key of Object.keys(backend)) {
    const value = findOption(backend, key);
    if (value !== undefined && foldKey(key) !== 'type') fields[`Backend.${printableKey(key)}`] = quotePlain(value);
  }
  return new Map(Object.entries(fields).map(([name, value]) => [foldKey(name), { name, value }]));
}

/** Anybody who can write to etcd chose it. */
function printableKey(key: string): string {
  return quoteText(key, 40).slice(1, -1);
}
