/**
 * The MAC addresses of this node's VTEPs, kept across restarts: peers hold them in neighbours and FDB entries, and flannel,
 * which does not keep them, loses its peers until each has seen the new lease (issues 1788, 1155).
 *
 *   <state-dir>/vtep-macs.json, 0600: {"version":1,"macs":{"<network>/<device>":"02:42:ac:11:00:02"}}
 *
 * Nothing about this file ends the daemon: without it a node has new addresses, as with flannel at every start.
 */
import { formatIpv4, type Ipv4 } from '../../addr/ipv4.ts';
import { formatMac, isStationMac, type Mac, parseMac } from '../../addr/mac.ts';
import { vxlanDeviceName } from '../../backend/vxlan/options.ts';
import { findOption } from '../../lease/backend-option.ts';
import type { Lease, LeaseAttrs } from '../../lease/lease.ts';
import type { Log } from '../../log.ts';
import { isSharedNatAddress } from '../host/external-interface.ts';
import { formatEntries, isObject, parseEntries, StateFile } from './state-file.ts';

const FIELD = 'macs';

export interface VtepMacsOptions {
  /** --state-dir. */
  readonly directory: string;
  readonly log: Log;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

export class VtepMacs {
  readonly #file: StateFile<Map<string, Mac>>;
  readonly #options: VtepMacsOptions;
  /** "<network>/<device>" -> address. */
  readonly #macs: Map<string, Mac>;
  #unsaved = false;
  #saving: Promise<void> = Promise.resolve();

  private constructor(options: VtepMacsOptions, file: StateFile<Map<string, Mac>>, macs: Map<string, Mac>) {
    this.#options = options;
    this.#file = file;
    this.#macs = macs;
  }

  /** Reads the file. One that cannot be used is set aside as vtep-macs.json.bad, with a warning. */
  static async load(options: VtepMacsOptions): Promise<VtepMacs> {
    const file = new StateFile<Map<string, Mac>>({
      directory: options.directory,
      name: 'vtep-macs.json',
      parse: (text) => parseEntries(FIELD, text, readMac),
      format: (macs) => formatEntries(FIELD, macs, formatMac),
      unusable: 'The saved VtepMACs cannot be used; VTEPs whose address is not in their lease get a new one',
      unsaved: 'VtepMACs cannot be saved; they will be others after a restart',
      log: options.log,
    });
    return new VtepMacs(options, file, (await file.load()) ?? new Map());
  }

  /** The address of a device, made at the first call; `save` keeps it. */
  macOf(network: string, device: string): Mac {
    const key = `${network}/${device}`;
    let mac = this.#macs.get(key);
    if (mac === undefined) {
      mac = randomMac(this.#options.random);
      this.#set(key, mac);
    }
    return mac;
  }

  /**
   * Compares a network's addresses with the leases, before the own lease is written. An address that some other node
   * publishes is given up: two VTEPs with one address cut each other off, and a copied disk makes them. One that is not
   * saved is taken from our own lease: peers know it, be it of flanneld or from before the state directory was lost.
   */
  reconcile(network: string, publicIp: Ipv4, leases: readonly Lease[]): void {
    const { log } = this.#options;
    const elsewhere = new Map<Mac, Ipv4>();
    for (const { attrs } of leases)
      if (attrs.publicIp !== publicIp) for (const [, mac] of macsOfLease(attrs)) elsewhere.set(mac, attrs.publicIp);
    for (const [key, mac] of this.#macs) {
      const other = elsewhere.get(mac);
      if (other === undefined || !key.startsWith(`${network}/`)) continue;
      const fields = { device: nameOf(key), mac: formatMac(mac), publicIp: formatIpv4(other) };
      log.warn(fields, 'Another lease has our VtepMAC (a copied disk, or our own old address); a new one is made');
      this.#macs.delete(key);
      this.#unsaved = true;
    }
    // Behind that address may be any node.
    if (isSharedNatAddress(publicIp)) return;
    for (const { attrs } of leases) {
      if (attrs.publicIp !== publicIp) continue;
      for (const [device, mac] of macsOfLease(attrs)) {
        const key = `${network}/${device}`;
        if (this.#macs.has(key) || elsewhere.has(mac)) continue;
        this.#set(key, mac);
        log.info({ device: nameOf(key), mac: formatMac(mac) }, 'VtepMAC taken over from our lease');
      }
    }
  }

  /** Writes what is new. Where that is impossible, the addresses live as long as the daemon. */
  save(): Promise<void> {
    this.#saving = this.#saving.then(() => this.#saveNow());
    return this.#saving;
  }

  async #saveNow(): Promise<void> {
    if (!this.#unsaved) return;
    this.#unsaved = false;
    if (!(await this.#file.save(this.#macs))) this.#unsaved = true;
  }

  #set(key: string, mac: Mac): void {
    this.#macs.set(key, mac);
    this.#unsaved = true;
  }
}

/** Locally administered and unicast, as flannel makes them (pkg/mac). */
export function randomMac(random: () => number): Mac {
  const first = (Math.floor(random() * 0x100) & 0xfe) | 0x02;
  return first * 2 ** 40 + Math.floor(random() * 2 ** 40);
}

function readMac(value: unknown, key: string): Mac | undefined {
  return key.includes('/') ? stationMac(value) : undefined;
}

function stationMac(value: unknown): Mac | undefined {
  const mac = typeof value === 'string' ? parseMac(value) : undefined;
  return mac !== undefined && isStationMac(mac) ? mac : undefined;
}

/** The VTEP devices that a lease names. Leases of another backend have none. */
function macsOfLease({ backendType, backendData, backendV6Data }: LeaseAttrs): [device: string, mac: Mac][] {
  if (backendType !== 'vxlan') return [];
  const found: [string, Mac][] = [];
  for (const [family, data] of [
    [4, backendData],
    [6, backendV6Data],
  ] as const) {
    if (!isObject(data)) continue;
    const mac = stationMac(findOption(data, 'VtepMAC'));
    const vni = findOption(data, 'VNI');
    if (mac !== undefined && typeof vni === 'number') found.push([vxlanDeviceName(vni, family), mac]);
  }
  return found;
}

/** "blue/flannel.1", and of a network without a name "flannel.1". */
function nameOf(key: string): string {
  return key.replace(/^\//, '');
}
