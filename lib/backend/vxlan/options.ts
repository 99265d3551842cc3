/** The Backend object of a vxlan network, the names that follow from it, and our own lease. flannel pkg/backend/vxlan. Pure. */
import { formatMac, type Mac } from '../../addr/mac.ts';
import { WeftError } from '../../error.ts';
import { type BackendObject, findOption } from '../../lease/backend-option.ts';
import type { Lease, LeaseAttrs } from '../../lease/lease.ts';
import type { NetworkConfig } from '../../lease/network-config.ts';
import type { ExternalInterface } from '../backend.ts';
import { booleanOption, type IntegerRange, integerOption, invalidOption } from '../option.ts';

export interface VxlanOptions {
  /** 1 to 2^24 - 1. */
  readonly vni: number;
  readonly port: number;
  /** MTU of the underlay. */
  readonly underlayMtu: number;
  readonly learning: boolean;
}

const DEFAULT_VNI = 1;
const VNIS: IntegerRange = { min: 1, max: 2 ** 24 - 1 };
/** flannel leaves an unset port to the kernel, which takes the one from before IANA assigned 4789. */
const DEFAULT_PORT = 8472;
const PORTS: IntegerRange = { min: 0, max: 65535 };

/** VXLAN 8, inner Ethernet 14. */
const VXLAN_OVERHEAD = 8 + 14;
/** Outer IPv4 20, UDP 8, and what VXLAN adds. */
export const OVERHEAD4 = 20 + 8 + VXLAN_OVERHEAD;
/** Outer IPv6 40. flannel takes 50 here too, and its full packets are 20 bytes too large for the underlay. */
export const OVERHEAD6 = 40 + 8 + VXLAN_OVERHEAD;
/** RFC 791: every link carries this. */
const IPV4_MIN_MTU = 68;
/** RFC 8200 §5. */
const IPV6_MIN_MTU = 1280;
/** The largest outer packet; a loopback device says 65536. */
const MAX_UNDERLAY_MTU = 65535;

/** Throws WeftError CONFIG_INVALID naming field, value and what is allowed. */
export function vxlanOptions({ backend, enableIpv6 }: NetworkConfig, external: ExternalInterface): VxlanOptions {
  if (booleanOption(backend, 'GBP'))
    throw invalidOption('GBP', true, 'Weft does not have the group policy extension, leave it out');
  const mtus = { min: enableIpv6 ? IPV6_MIN_MTU + OVERHEAD6 : IPV4_MIN_MTU + OVERHEAD4, max: MAX_UNDERLAY_MTU };
  const underlayMtu = integerOption(backend, 'MTU', mtus) ?? Math.min(external.mtu, MAX_UNDERLAY_MTU);
  if (underlayMtu < mtus.min) throw narrowUnderlay(external, mtus.min);
  return {
    vni: integerOption(backend, 'VNI', VNIS) ?? DEFAULT_VNI,
    port: integerOption(backend, 'Port', PORTS) || DEFAULT_PORT,
    underlayMtu,
    learning: booleanOption(backend, 'Learning'),
  };
}

function narrowUnderlay({ name, mtu }: ExternalInterface, least: number): WeftError {
  return new WeftError('MTU_TOO_SMALL', `Interface "${name}" has MTU ${mtu}, VXLAN needs ${least} here`, {
    hint: 'raise its MTU, or choose another interface with --iface',
  });
}

/**
 * `flannel.<VNI>` and `flannel-v6.<VNI>`. Linux takes 15 bytes, which do not hold VNIs of 8 and of 5 digits (flannel cannot
 * have those): there the shorter `fl.<VNI>` and `fl-v6.<VNI>`.
 */
export function vxlanDeviceName(vni: number, family: 4 | 6): string {
  const suffix = family === 4 ? '' : '-v6';
  const name = `flannel${suffix}.${vni}`;
  return name.length <= 15 ? name : `fl${suffix}.${vni}`;
}

/**
 * The VNI as flannel before 0.24 has it in a lease, in 16 bits, and expects it there: it cannot read a lease with a larger one.
 * On the wire it sends all 24.
 */
export function cutVni(vni: number): number {
  return vni & 0xffff;
}

/**
 * What our node writes into its lease; the key order within BackendData is flannel's. `vtepMac` gives a device's saved MAC.
 * A VNI that 16 bits do not hold is written cut if a peer's is. Throws WeftError CONFIG_INVALID or MTU_TOO_SMALL.
 */
export function vxlanLeaseAttrs(
  external: ExternalInterface,
  config: NetworkConfig,
  vtepMac: (device: string) => Mac,
  leases: readonly Lease[],
): LeaseAttrs {
  const { vni } = vxlanOptions(config, external);
  const peerCuts = leases.some(({ attrs }) => attrs.publicIp !== external.publicIp && vniOf(attrs) === cutVni(vni));
  const data = (family: 4 | 6): object => ({
    VNI: peerCuts ? cutVni(vni) : vni,
    VtepMAC: formatMac(vtepMac(vxlanDeviceName(vni, family))),
  });
  return {
    publicIp: external.publicIp,
    publicIpv6: config.enableIpv6 ? external.publicIpv6 : undefined,
    backendType: 'vxlan',
    backendData: data(4),
    backendV6Data: config.enableIpv6 ? data(6) : undefined,
  };
}

/** Of a vxlan lease, which holds anything. */
function vniOf({ backendType, backendData }: LeaseAttrs): unknown {
  const isObject = typeof backendData === 'object' && backendData !== null && !Array.isArray(backendData);
  return backendType === 'vxlan' && isObject ? findOption(backendData as BackendObject, 'VNI') : undefined;
}
