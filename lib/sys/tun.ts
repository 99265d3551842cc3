/** TUN and TAP devices: include/uapi/linux/if_tun.h, Documentation/networking/tuntap.rst. */
import { WeftError } from '../error.ts';
import { O_CLOEXEC, O_NONBLOCK, O_RDWR } from '../linux/fcntl.ts';
import { Errno, SyscallError } from './errno.ts';
import { close, errno, ioctl, ioctlValue, open } from './ffi.ts';
import { IFNAMSIZ } from './netlink/abi.ts';
import { FPROG_SIZE, type PacketFilter } from './packet-filter.ts';

const TUNSETIFF = 0x400454ca;
const TUNSETOFFLOAD = 0x400454d0;
/** _IOW('T', 213, struct sock_fprog): the size, 16 on 64-bit Linux, is part of the number. */
const TUNATTACHFILTER = 0x401054d5;
const TUNDETACHFILTER = 0x401054d6;
const IFF_TUN = 0x0001;
const IFF_TAP = 0x0002;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
/** Fail with EBUSY instead of joining a device that exists. */
const IFF_TUN_EXCL = 0x8000;
/** sizeof(struct ifreq) on 64-bit Linux. */
const IFREQ_SIZE = 40;

export const TUN_F_CSUM = 0x01;
export const TUN_F_TSO4 = 0x02;
export const TUN_F_TSO6 = 0x04;
export const TUN_F_TSO_ECN = 0x08;
export const TUN_F_USO4 = 0x20;
export const TUN_F_USO6 = 0x40;

export interface TunDevice {
  readonly fd: number;
  readonly name: string;
}

/**
 * Creates the TUN device `name` without packet information, non-blocking; with `vnetHeader` each packet carries a
 * virtio_net_hdr of 10 bytes. The device goes when the descriptor is closed.
 * Codes: NO_TUN_DEVICE, NOT_PERMITTED, DEVICE_BUSY, BAD_NAME, or the errno's name.
 */
export function openTun(name: string, vnetHeader: boolean): TunDevice {
  return openDevice('TUN', name, vnetHeader);
}

/** As openTun, but a TAP: it carries Ethernet frames. Its MAC address is random: RouteNetlink.setLinkAddress. */
export function openTap(name: string, vnetHeader: boolean): TunDevice {
  return openDevice('TAP', name, vnetHeader);
}

type DeviceKind = 'TUN' | 'TAP';

function openDevice(kind: DeviceKind, name: string, vnetHeader: boolean): TunDevice {
  const encoded = new TextEncoder().encode(name);
  if (encoded.length >= IFNAMSIZ)
    throw new WeftError('BAD_NAME', `Device name "${name}" is longer than ${IFNAMSIZ - 1} bytes`);
  const fd = open('/dev/net/tun', O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) throw cloneDeviceFailed(errno());
  const request = new Uint8Array(IFREQ_SIZE);
  request.set(encoded);
  const mode = kind === 'TUN' ? IFF_TUN : IFF_TAP;
  const flags = mode | IFF_NO_PI | IFF_TUN_EXCL | (vnetHeader ? IFF_VNET_HDR : 0);
  new DataView(request.buffer).setUint16(IFNAMSIZ, flags, true);
  if (ioctl(fd, TUNSETIFF, request) < 0) {
    const value = errno();
    close(fd);
    throw attachFailed(kind, name, value);
  }
  return { fd, name };
}

function cloneDeviceFailed(value: number): WeftError {
  const cause = new SyscallError('open', '"/dev/net/tun"', value);
  if (value === Errno.EACCES) {
    return new WeftError('NOT_PERMITTED', `Not permitted to open /dev/net/tun: ${cause.message}`, {
      cause,
      hint: 'the file is closed to this user: run as root, or "chmod 0666 /dev/net/tun" (devices still take CAP_NET_ADMIN)',
    });
  }
  // Device cgroups say EPERM, whatever the file's mode.
  return new WeftError('NO_TUN_DEVICE', `Cannot open /dev/net/tun: ${cause.message}`, {
    cause,
    hint: 'load the module with "modprobe tun"; in a container pass the device, for example --device /dev/net/tun',
  });
}

function attachFailed(kind: DeviceKind, name: string, value: number): WeftError {
  const object = `${kind} device "${name}"`;
  const cause = new SyscallError('ioctl TUNSETIFF', object, value);
  if (value === Errno.EPERM) {
    return new WeftError('NOT_PERMITTED', `Not permitted to create ${object}: ${cause.message}`, {
      cause,
      hint: 'run as root, or give the process CAP_NET_ADMIN',
    });
  }
  if (value === Errno.EBUSY) {
    return new WeftError('DEVICE_BUSY', `Cannot create ${object}: a device of that name exists`, {
      cause,
      hint: `another weftd or flanneld may be running here; see "ip -d link show ${name}"`,
    });
  }
  return cause;
}

/**
 * From now on the kernel drops what `filter` drops on its way to a TAP's reader, and counts it as tx_dropped of the device;
 * undefined lets everything through again. Returns 0 or the errno: EINVAL for a TUN.
 */
export function setTunFilter(fd: number, filter: PacketFilter | undefined): number {
  // Detaching wants a pointer it can read, though not what is there.
  const result =
    filter === undefined ? ioctl(fd, TUNDETACHFILTER, new Uint8Array(FPROG_SIZE)) : ioctl(fd, TUNATTACHFILTER, filter);
  return result < 0 ? errno() : 0;
}

/** Says which unfinished packets we take from the device (TUN_F_*). Returns 0 or the errno: EINVAL means "not this kernel". */
export function setTunOffload(fd: number, features: number): number {
  return ioctlValue(fd, TUNSETOFFLOAD, features) < 0 ? errno() : 0;
}
