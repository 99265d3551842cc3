/**
 * An edge device (TUN or TAP) and its segment on an engine. It is made anew when somebody deletes it, and put right when
 * somebody changes it.
 */
import { statSync } from 'node:fs';
import { formatPrefix } from '../addr/prefix.ts';
import type { SegmentOptions, SegmentPeer } from '../dataplane/segment.ts';
import { messageOf } from '../error.ts';
import type { Log } from '../log.ts';
import { closeFd } from '../sys/descriptor.ts';
import { RouteNetlink } from '../sys/netlink/rtnetlink.ts';
import { withinNetns } from '../sys/netns.ts';
import { openTap, openTun } from '../sys/tun.ts';
import { applyDeviceSysctls } from './device-sysctls.ts';
import type { Engine, EngineSegment } from './engine.ts';
import { applyLinkSettings, type LinkSettings } from './link-settings.ts';
import { retry } from './retry.ts';

/** Our choice; flannel leaves a TUN the kernel's 500, which bursts of small packets overrun. */
const TX_QUEUE_LENGTH = 1000;
/** Our choice, that of the routes: 10 s. */
const CHECK_INTERVAL_MS = 10_000;

/** With a MAC address the device is a TAP, without one a TUN. */
export interface EdgeDeviceOptions extends Omit<LinkSettings, 'txQueueLength'> {
  /** Network namespace (a path) of the device; undefined: the daemon's own. */
  readonly netns: string | undefined;
  readonly log: Log;
  readonly segment: Omit<SegmentOptions, 'onDeviceLost'>;
  /** The device is there again, or was put right; what leads through it may be gone. Not called for the first time. */
  onRestored(): Promise<void>;
  /** How often the device is compared with what it should be. Default 10 s. */
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
  /** What was last said of a device that works, but not where it should. */
  #displaced: string | undefined;
  /** The namespace's own number: a path may lead to another one later. */
  readonly #namespace: number | undefined;
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
    this.#netlink = withinNetns(options.netns, () => RouteNetlink.open());
    this.#namespace = namespaceOf(options.netns);
    try {
      this.#build();
      this.#segment = engine.addSegment({ ...options.segment, onDeviceLost: (reason) => this.#lost(reason) });
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

  /** What it forwards: counters and tables, to read. */
  get segment(): Pick<EngineSegment, 'stats' | 'fdb' | 'neighbors'> {
    return this.#segment;
  }

  /** Forwards to these peers and no others. Resolves when it does; prefixes that found no room are logged. */
  async forwardTo(peers: readonly SegmentPeer[]): Promise<void> {
    const left = await this.#segment.keepPeers(peers);
    if (left.length === 0) return;
    const first = left.slice(0, 5).map(formatPrefix);
    this.#options.log.error({ device: this.name, count: left.length, first }, 'The FIB is full; routes were left out');
  }

  /** Stops forwarding and removes the device; its addresses and what leads through it go with it. */
  async close(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort();
    clearInterval(this.#timer);
    await this.#rebuilding;
    await this.#segment.detach();
    this.#closeDevice();
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
        const { index } = applyLinkSettings(this.#netlink, this.#settings);
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

  /** The device was deleted under us: it is made again, with growing pauses. */
  #lost(reason: string): void {
    const { log, name } = this.#options;
    if (this.#stop.signal.aborted || this.#open === undefined) return;
    log.warn({ device: name, reason }, 'The device is gone; building it again');
    this.#closeDevice();
    this.#rebuilding = retry(
      async () => {
        this.#build();
        this.#attach();
        await this.#options.onRestored();
        log.info({ device: name }, 'The device is back');
      },
      {
        signal: this.#stop.signal,
        onFailure: (error) =>
          log.error({ device: name, error: messageOf(error) }, 'Cannot build the device; trying again'),
      },
    );
  }

  /** Network managers and people change what they find. */
  #check(): void {
    const { log, name } = this.#options;
    if (this.#open === undefined) return;
    try {
      const displaced = this.#whyDisplaced(this.#open.index);
      if (displaced !== undefined && displaced !== this.#displaced)
        log.error({ device: name }, `${displaced}; undo that, or restart weftd`);
      this.#displaced = displaced;
      if (displaced !== undefined) return;
      const { changes } = applyLinkSettings(this.#netlink, this.#settings);
      if (changes.length === 0) return;
      log.warn({ device: name, set: changes }, 'Somebody changed the device; it was put right');
      void this.#options.onRestored();
    } catch (error) {
      log.warn({ device: name, error: messageOf(error) }, 'Cannot check the device; trying again');
    }
  }

  #whyDisplaced(index: number): string | undefined {
    const { name, netns } = this.#options;
    if (namespaceOf(netns) !== this.#namespace)
      return `Another network namespace is at ${netns} now, without the device`;
    return this.#netlink.linkByName(name)?.index === index
      ? undefined
      : 'The device was renamed, or moved to another network namespace';
  }

  #closeDevice(): void {
    if (this.#open !== undefined) closeFd(this.#open.fd, `device "${this.name}"`);
    this.#open = undefined;
  }
}

/** Inode of the namespace's file; undefined for our own, and where nothing is. */
function namespaceOf(netns: string | undefined): number | undefined {
  return netns === undefined ? undefined : statSync(netns, { throwIfNoEntry: false })?.ino;
}
