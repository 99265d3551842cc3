/**
 * An edge device (TUN or TAP) and its segment on an engine. It is made anew when somebody deletes it, and put right when
 * somebody changes it.
 */
import { statSync } from 'node:fs';
import { formatPrefix } from '../addr/prefix.ts';
import type { SegmentOptions, SegmentPeer, SegmentProbes } from '../dataplane/segment.ts';
import { messageOf, WeftError } from '../error.ts';
import type { Fault, FaultSink } from '../faults.ts';
import type { Log } from '../log.ts';
import { closeFd } from '../sys/descriptor.ts';
import { type Link, RouteNetlink } from '../sys/netlink/rtnetlink.ts';
import { withinNetns } from '../sys/netns.ts';
import { setInterfaceSysctl } from '../sys/sysctl.ts';
import { openTap, openTun } from '../sys/tun.ts';
import { DeviceChanges } from './device-changes.ts';
import { applyDeviceSysctls } from './device-sysctls.ts';
import type { Engine, EngineSegment } from './engine.ts';
import { type Applied, applyLinkSettings, isLinkAsWanted, type LinkSettings } from './link-settings.ts';
import { retry } from './retry.ts';

/** Our choice; flannel leaves a TUN the kernel's 500, which bursts of small packets overrun. */
const TX_QUEUE_LENGTH = 1000;
/** Our choice: one question to the kernel each time. */
const CHECK_INTERVAL_MS = 1000;
/** The addresses are looked at with every tenth check; flannel looks at its routes every 10 s. */
const ADDRESS_CHECKS = 10;

/** With a MAC address the device is a TAP, without one a TUN. */
export interface EdgeDeviceOptions extends Omit<LinkSettings, 'txQueueLength'> {
  /** Network namespace (a path) of the device; undefined: the daemon's own. */
  readonly netns: string | undefined;
  readonly faults: FaultSink;
  readonly log: Log;
  readonly segment: Omit<SegmentOptions, 'onDeviceLost'>;
  /** The device is there again, or was put right; what leads through it may be gone. Not called for the first time. */
  readonly onRestored: () => Promise<void>;
  /** Called when the namespace is another one by now, until the device is closed. */
  readonly startOver: (reason: string) => void;
  /** How often the device is compared with what it should be. Default 1 s. */
  readonly checkIntervalMs?: number;
}

export class EdgeDevice {
  readonly #options: EdgeDeviceOptions;
  readonly #settings: LinkSettings;
  readonly #engine: Engine;
  readonly #netlink: RouteNetlink;
  readonly #segment: EngineSegment;
  readonly #stop = new AbortController();
  /** Undefined while the device is lost. */
  #open: { readonly fd: number; readonly index: number } | undefined;
  #checks = 0;
  readonly #changes: DeviceChanges;
  /** The namespace's own number: a path may lead to another one later. */
  readonly #namespace: number | undefined;
  /** As the last look at it found. */
  #isAway = false;
  #rebuilding: Promise<void> = Promise.resolve();
  readonly #timer: NodeJS.Timeout;

  /**
   * Makes the device, with its addresses and up, and begins to forward.
   * Codes: those of openTun and withinNetns, TOO_MANY_SEGMENTS, or an errno's name.
   */
  constructor(engine: Engine, options: EdgeDeviceOptions) {
    this.#engine = engine;
    this.#options = options;
    this.#settings = { ...options, txQueueLength: TX_QUEUE_LENGTH };
    this.#changes = new DeviceChanges(options.name, options.log);
    this.#netlink = withinNetns(options.netns, () => RouteNetlink.open());
    this.#namespace = namespaceOf(options.netns);
    try {
      this.#build();
      this.#segment = engine.addSegment({ ...options.segment, onDeviceLost: (reason) => this.#rebuild(reason) });
    } catch (error) {
      this.#closeDevice();
      this.#netlink.close();
      throw error;
    }
    this.#attach();
    this.#timer = setInterval(() => this.#check(), options.checkIntervalMs ?? CHECK_INTERVAL_MS);
    this.#timer.unref();
  }

  get name(): string {
    return this.#options.name;
  }

  /** What it forwards: counters and tables, to read; and the ways to its peers. */
  get segment(): Pick<EngineSegment, 'stats' | 'fdb' | 'neighbors'> & SegmentProbes {
    return this.#segment;
  }

  /** Forwards to these peers and no others. Resolves when it does; prefixes that found no room are a fault. */
  async forwardTo(peers: readonly SegmentPeer[]): Promise<void> {
    const left = await this.#segment.keepPeers(peers);
    const [first] = left;
    const text =
      first && `The FIB of "${this.name}" is full: ${left.length} subnets are left out, ${formatPrefix(first)} and on`;
    this.#options.faults.report(`fib ${this.name}`, text === undefined ? [] : [{ text, blocks: true }]);
  }

  /** Stops forwarding and removes the device; its addresses and what leads through it go with it. */
  async close(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort();
    clearInterval(this.#timer);
    await this.#rebuilding;
    await this.#segment.detach();
    this.#closeDevice();
    for (const part of ['device', 'changes', 'thread', 'fib', 'ipv6'])
      this.#options.faults.report(`${part} ${this.name}`, []);
    this.#netlink.close();
  }

  /** Opens and configures the device; it is closed again when that fails. */
  #build(): void {
    const { name, mac, netns } = this.#options;
    const { offloads } = this.#engine;
    withinNetns(netns, () => {
      const { fd } = (mac === undefined ? openTun : openTap)(name, offloads.wantsVnetHeader);
      try {
        offloads.negotiateTun(fd);
        this.#writeSysctls();
        const { index } = this.#applySettings();
        offloads.probeTun(fd, mac);
        this.#open = { fd, index };
      } catch (error) {
        closeFd(fd, `device "${name}"`);
        throw error;
      }
    });
  }

  #writeSysctls(): void {
    const { name, mac, log } = this.#options;
    const missing = applyDeviceSysctls(this.#netlink, name, mac !== undefined);
    if (missing.length === 0) return;
    const hint = 'mount /proc/sys writable, or set them from outside';
    log.warn({ device: name, missing, hint }, 'Some settings of the device stay as they are');
  }

  /** Hosts, and containers, that switch IPv6 off for all devices to come mean theirs; where ours cannot be another, IPv4 works. */
  #applySettings(): Applied {
    const { faults, name, netns } = this.#options;
    const applied = applyLinkSettings(this.#netlink, this.#settings, () =>
      withinNetns(netns, () => setInterfaceSysctl('ipv6', name, 'disable_ipv6', '0')),
    );
    const text =
      `IPv6 packets do not pass, IPv4 packets do: "${name}" has IPv6 switched off: ${applied.withoutIpv6}; ` +
      `set net.ipv6.conf.${name}.disable_ipv6 to 0, which is seen within 10 s, or mount /proc/sys writable`;
    faults.report(`ipv6 ${name}`, applied.withoutIpv6 === undefined ? [] : [{ text, blocks: true }]);
    return applied;
  }

  #attach(): void {
    const { offloads } = this.#engine;
    this.#segment.setDevice({
      fd: this.#open!.fd,
      mtu: this.#options.mtu,
      vnetHeader: offloads.wantsVnetHeader,
      tunGro: offloads.isActive('tun-gro'),
      tunUso: offloads.isActive('tun-uso'),
    });
  }

  /** The device was deleted under us, or is not where it should be: it is made again, with growing pauses. */
  #rebuild(reason: string): void {
    const { name, onRestored } = this.#options;
    if (this.#stop.signal.aborted || this.#open === undefined) return;
    this.#report({ text: `Device "${name}" is gone: ${reason}; it is being built again`, blocks: true });
    const device = this.#open;
    this.#open = undefined;
    const released = this.#segment.releaseDevice().then(() => this.#closeDevice(device));
    this.#rebuilding = released.then(() =>
      retry(
        async () => {
          // Our netlink socket stays in the old one.
          if (this.#isElsewhere()) throw new WeftError('DEVICE_LOST', `The network namespace of "${name}" is gone`);
          this.#build();
          this.#attach();
          this.#report();
          await onRestored();
        },
        {
          signal: this.#stop.signal,
          // Where the namespace is gone that has been said, and nothing else would help.
          onFailure: (error) => {
            if (this.#isAway) return;
            this.#report({ text: `Device "${name}" cannot be built: ${reasonOf(error)}`, blocks: true });
          },
        },
      ),
    );
  }

  /** What is wrong with the device itself; nothing: it is as it should be. */
  #report(...faults: readonly Fault[]): void {
    this.#options.faults.report(`device ${this.name}`, faults);
  }

  /** Network managers and people change what they find. */
  #check(): void {
    const { name } = this.#options;
    this.#reportThread();
    try {
      // Whoever builds it reports.
      if (this.#isElsewhere() || this.#open === undefined) return;
      const link = this.#netlink.linkByName(name);
      if (link?.index !== this.#open.index)
        this.#rebuild('it was deleted, renamed, or moved to another network namespace');
      else this.#putRight(link);
    } catch (error) {
      this.#report({ text: `Device "${name}" cannot be put right: ${messageOf(error)}`, blocks: true });
    }
  }

  /** Looks at the link each time, at its addresses, which take longer, now and then. */
  #putRight(link: Link): void {
    const { name, faults, onRestored } = this.#options;
    this.#checks++;
    const isRight = this.#checks % ADDRESS_CHECKS !== 0 && isLinkAsWanted(link, this.#settings);
    const { changes } = isRight ? { changes: [] } : this.#applySettings();
    if (!isRight) this.#report();
    faults.report(`changes ${name}`, this.#changes.looked(changes));
    if (changes.length > 0) void onRestored();
  }

  /** Whether the namespace is gone or another one by now: nothing that was opened in the old one is of any use. */
  #isElsewhere(): boolean {
    const { netns, startOver } = this.#options;
    const now = namespaceOf(netns);
    this.#isAway = now !== this.#namespace;
    if (!this.#isAway) return false;
    this.#report({ text: `Network namespace "${netns}" is gone, and with it device "${this.name}"`, blocks: true });
    if (now !== undefined) startOver(`another network namespace is at "${netns}" now`);
    return true;
  }

  #reportThread(): void {
    const text = `The data-plane thread of "${this.name}" has ended; another is being started`;
    this.#options.faults.report(`thread ${this.name}`, this.#segment.hasThread ? [] : [{ text, blocks: true }]);
  }

  #closeDevice(device = this.#open): void {
    if (device !== undefined) closeFd(device.fd, `device "${this.name}"`);
    this.#open = undefined;
  }
}

/** With what to do, where the error knows it. */
function reasonOf(error: unknown): string {
  return error instanceof WeftError && error.hint !== undefined ? `${error.message}; ${error.hint}` : messageOf(error);
}

/** Inode of the namespace's file; undefined for our own, and where nothing is. */
function namespaceOf(netns: string | undefined): number | undefined {
  return netns === undefined ? undefined : statSync(netns, { throwIfNoEntry: false })?.ino;
}
