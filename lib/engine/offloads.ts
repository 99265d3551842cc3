/** Finds out which offloads this kernel takes, honours the user's switches, and remembers why each is on or off. */
import type { Mac } from '../addr/mac.ts';
import type { OffloadName, OffloadStatus } from '../dataplane/stats.ts';
import { errnoName } from '../sys/errno.ts';
import {
  setTunOffload,
  TUN_F_CSUM,
  TUN_F_TSO_ECN,
  TUN_F_TSO4,
  TUN_F_TSO6,
  TUN_F_USO4,
  TUN_F_USO6,
} from '../sys/tun.ts';
import { probeSuperPacket } from '../sys/tun-probe.ts';
import { enableUdpGro, hasUdpSegment } from '../sys/udp-socket.ts';

/** The user's switches; `auto: false` is `--offload=off` and overrules the others. */
export interface OffloadSwitches {
  readonly auto: boolean;
  readonly tunTso: boolean;
  readonly tunUso: boolean;
  readonly tunGro: boolean;
  readonly udpGso: boolean;
  readonly udpGro: boolean;
}

/**
 * Datagrams in a train: UDP_MAX_SEGMENTS is 64 before Linux 6.9, 128 from then on. Before 5.16 the header was counted as
 * payload: one less is safe.
 */
const MAX_TRAIN_OLD = 63;
const MAX_TRAIN_NEW = 128;

const FLAGS: Readonly<Record<OffloadName, keyof OffloadSwitches>> = {
  'tun-tso': 'tunTso',
  'tun-uso': 'tunUso',
  'tun-gro': 'tunGro',
  'udp-gso': 'udpGso',
  'udp-gro': 'udpGro',
};

/** What each offload does, for status and documentation. */
export const OFFLOAD_NAMES = Object.keys(FLAGS) as readonly OffloadName[];

/** Of one engine: its sockets and all devices on it. */
export class Offloads {
  readonly #switches: OffloadSwitches;
  readonly #release: KernelRelease;
  readonly #status = new Map<OffloadName, OffloadStatus>();
  /** Refused in operation: not asked for again, whatever devices come. */
  readonly #refused = new Map<OffloadName, string>();

  /** `release` is uname's, for example "6.18.44-generic". */
  constructor(switches: OffloadSwitches, release: string) {
    this.#switches = switches;
    this.#release = parseRelease(release);
    for (const name of OFFLOAD_NAMES) {
      const off = this.#whyOff(name);
      this.#set(name, off === undefined, off ?? 'not probed yet');
    }
  }

  /** True if the TUN is to be opened with a virtio_net_hdr: some offload of it is wanted. */
  get wantsVnetHeader(): boolean {
    return this.#wanted('tun-tso') || this.#wanted('tun-gro') || this.#wanted('tun-uso');
  }

  get batching(): boolean {
    return this.#switches.auto;
  }

  isActive(name: OffloadName): boolean {
    return this.#status.get(name)?.active === true;
  }

  list(): OffloadStatus[] {
    return OFFLOAD_NAMES.map((name) => this.#status.get(name)!);
  }

  /** Something was refused in operation; the data plane has already gone on another way. */
  refuse(name: OffloadName, reason: string): void {
    this.#refused.set(name, reason);
    this.#set(name, false, reason);
  }

  /** Agrees with the TUN on what it may hand us unfinished. The device need not be up. */
  negotiateTun(fd: number): void {
    if (!this.wantsVnetHeader) return;
    const tso = this.#wanted('tun-tso') ? TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN : 0;
    const uso = this.#wanted('tun-uso') ? TUN_F_USO4 | TUN_F_USO6 : 0;
    const usoError = uso === 0 ? 0 : setTunOffload(fd, TUN_F_CSUM | tso | uso);
    if (uso !== 0 && usoError !== 0) this.#set('tun-uso', false, `TUNSETOFFLOAD refused USO: ${errnoName(usoError)}`);
    if (uso === 0 || usoError !== 0) {
      const error = setTunOffload(fd, TUN_F_CSUM | tso);
      if (error !== 0) {
        if (tso !== 0) this.#set('tun-tso', false, `TUNSETOFFLOAD refused TSO: ${errnoName(error)}`);
        return;
      }
    }
    if (tso !== 0) this.#set('tun-tso', true, 'in use: TCP super-packets are read from the device');
  }

  /** Writes a joined packet of each kind that is wanted to the TUN or TAP, which must be up. `mac`: of the TAP. */
  probeTun(fd: number, mac: Mac | undefined): void {
    if (this.isActive('tun-gro')) {
      const error = probeSuperPacket(fd, 'tcp', mac);
      this.#probed('tun-gro', error, 'in use: TCP packets are joined before they go to the device');
    }
    if (this.isActive('tun-uso')) {
      const error = probeSuperPacket(fd, 'udp', mac);
      this.#probed('tun-uso', error, 'in use: UDP super-packets go through the device both ways');
    }
  }

  #probed(name: OffloadName, error: number, inUse: string): void {
    if (error === 0) this.#set(name, true, inUse);
    else this.#set(name, false, `the device refused a joined packet at start: ${errnoName(error)}`);
  }

  /** Agrees with all sockets to send from, and switches reception in trains on at those to receive at. */
  negotiateSockets(receive: readonly number[], send: readonly number[]): void {
    if (this.isActive('udp-gso')) {
      if (!send.every(hasUdpSegment)) this.#set('udp-gso', false, 'the kernel has no UDP_SEGMENT (Linux 4.18)');
      else if (garblesEqualDatagrams(this.#release))
        this.#set('udp-gso', false, 'Linux 7.0.0 to 7.1.4 garbles trains of equal datagrams');
      else this.#set('udp-gso', true, `in use: up to ${this.#kernelMaxTrain} datagrams a send`);
    }
    if (this.isActive('udp-gro')) {
      if (receive.every(enableUdpGro)) this.#set('udp-gro', true, 'in use: trains of datagrams are received whole');
      else this.#set('udp-gro', false, 'the kernel does not confirm UDP_GRO (Linux 5.12)');
    }
  }

  /** The underlay is no UDP: its packets are sent and received many a call, but never as trains. */
  withoutUdp(reason: string): void {
    for (const name of ['udp-gso', 'udp-gro'] as const) if (this.#wanted(name)) this.#set(name, false, reason);
  }

  /** Datagrams in a train; 1: there are no trains. */
  get maxTrain(): number {
    return this.isActive('udp-gso') ? this.#kernelMaxTrain : 1;
  }

  get #kernelMaxTrain(): number {
    const { major, minor } = this.#release;
    return major > 6 || (major === 6 && minor >= 9) ? MAX_TRAIN_NEW : MAX_TRAIN_OLD;
  }

  #wanted(name: OffloadName): boolean {
    return this.#whyOff(name) === undefined;
  }

  #whyOff(name: OffloadName): string | undefined {
    if (!this.#switches.auto) return 'switched off by --offload=off';
    return this.#switches[FLAGS[name]] ? this.#refused.get(name) : `switched off by --${name}=false`;
  }

  #set(name: OffloadName, active: boolean, reason: string): void {
    this.#status.set(name, { name, active, reason });
  }
}

interface KernelRelease {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
}

/** An unreadable release counts as 0.0.0: the oldest limits are the safe ones. */
function parseRelease(text: string): KernelRelease {
  const match = /^(\d+)\.(\d+)(?:\.(\d+))?/.exec(text);
  return { major: Number(match?.[1] ?? 0), minor: Number(match?.[2] ?? 0), patch: Number(match?.[3] ?? 0) };
}

/** Linux 7.0.0 to 7.1.4 writes wrong UDP lengths and checksums when all datagrams of a train are equal; it cannot be seen from here. */
function garblesEqualDatagrams({ major, minor, patch }: KernelRelease): boolean {
  return major === 7 && (minor === 0 || (minor === 1 && patch <= 4));
}
