/** DirectRouting of vxlan and ipip: who is on the external interface's link and needs no encapsulation. */
import { messageOf } from '../error.ts';
import { formatIp } from '../sys/netlink/ip.ts';
import { type IpAddress, RouteNetlink } from '../sys/netlink/rtnetlink.ts';
import type { BackendLog, BackendOptions } from './backend.ts';
import { isOnLink } from './direct-routing.ts';
import { booleanOption, invalidOption } from './option.ts';
import type { Undo } from './undo.ts';

export class DirectLink {
  readonly #netlink = RouteNetlink.open();
  readonly #device: string;
  readonly #log: BackendLog;

  constructor(device: string, log: BackendLog) {
    this.#device = device;
    this.#log = log;
  }

  /** True if a plain route leads there. False also when the kernel cannot be asked: encapsulation works in any case. */
  reaches(address: IpAddress): boolean {
    try {
      const link = this.#netlink.linkByName(this.#device);
      return link?.up === true && isOnLink(this.#netlink, address, link.index);
    } catch (error) {
      const fields = { peer: formatIp(address), error: messageOf(error) };
      this.#log.warn(fields, 'Cannot find out if a peer is on our link; it is reached by encapsulation');
      return false;
    }
  }

  close(): void {
    this.#netlink.close();
  }
}

/** Undefined when DirectRouting is off. Throws WeftError CONFIG_INVALID, or NetlinkError. */
export function openDirectLink(options: BackendOptions, undo: Undo): DirectLink | undefined {
  const { config, external, log, netns } = options;
  if (!booleanOption(config.backend, 'DirectRouting')) return undefined;
  if (netns !== undefined)
    throw invalidOption(
      'DirectRouting',
      true,
      `not possible in network namespace "${netns}", which is not on the underlay`,
    );
  const link = new DirectLink(external.name, log);
  undo.add(() => link.close());
  return link;
}
