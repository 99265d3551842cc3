import { WeftError } from '../../error.ts';
import { errnoName, errnoText } from '../errno.ts';

/**
 * A request the kernel refused, or an answer that did not come. `code` is the errno's name ("EEXIST"); the message is
 * the operation with its object, the errno, and the kernel's own text where it gave one:
 *
 *   Cannot add route 10.244.0.0/16 dev flannel0: EEXIST (file already exists)
 *   Cannot add route 10.0.0.0/8 via 192.0.2.9 dev u0: ENETUNREACH (network is unreachable): Nexthop has invalid gateway
 */
export class NetlinkError extends WeftError {
  /** "add route 10.244.0.0/16 dev flannel0" */
  readonly operation: string;
  readonly errno: number;
  /** NETLINK_EXT_ACK text. */
  readonly kernelText: string | undefined;

  constructor(operation: string, errno: number, kernelText?: string) {
    const tail = kernelText === undefined ? '' : `: ${kernelText}`;
    super(
      errnoName(errno),
      `Cannot ${operation}: ${errnoName(errno)} (${errnoText(errno)})${tail}`,
      errnoName(errno) === 'EPERM' ? { hint: 'This needs CAP_NET_ADMIN: run it as root' } : {},
    );
    this.name = 'NetlinkError';
    this.operation = operation;
    this.errno = errno;
    this.kernelText = kernelText;
  }
}

/** What the kernel answers where there is no way to an address. */
const NO_ROUTE: ReadonlySet<string> = new Set(['ENETUNREACH', 'EHOSTUNREACH', 'EACCES', 'EINVAL']);

/** True for the error of a question for a route where there is none; any other says that the kernel could not be asked. */
export function isNoRoute(error: unknown): boolean {
  return error instanceof NetlinkError && NO_ROUTE.has(error.code);
}
