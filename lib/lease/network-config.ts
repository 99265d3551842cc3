import type { Ipv4Prefix, Ipv6Prefix } from '../addr/prefix.ts';

/** The parsed `<prefix>/config`. flannel pkg/subnet/config.go; defaults are already applied. */
export interface NetworkConfig {
  readonly enableIpv4: boolean;
  readonly enableIpv6: boolean;
  readonly network: Ipv4Prefix;
  readonly subnetLen: number;
  /** First and last subnet that may be handed out, each a prefix of subnetLen. */
  readonly subnetMin: Ipv4Prefix;
  readonly subnetMax: Ipv4Prefix;
  readonly ipv6: Ipv6NetworkConfig | undefined;
  /** Lower case; 'udp' when the config names no backend, as flanneld's code has it. */
  readonly backendType: string;
  /** The Backend object as parsed JSON with its keys as written; each backend reads its own. */
  readonly backend: Readonly<Record<string, unknown>>;
}

export interface Ipv6NetworkConfig {
  readonly network: Ipv6Prefix;
  readonly subnetLen: number;
  readonly subnetMin: Ipv6Prefix;
  readonly subnetMax: Ipv6Prefix;
}
