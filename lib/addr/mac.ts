/** A 48-bit MAC address as a number: ca:d5:64:45:4c:9e is 0xcad564454c9e. */
export type Mac = number;

/** Parses six pairs of hex digits with colons, either case. Else undefined. */
export function parseMac(text: string): Mac | undefined {
  if (!/^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$/.test(text)) return undefined;
  return Number.parseInt(text.replaceAll(':', ''), 16);
}

/** A group's address (multicast, broadcast): the I/G bit, the lowest of the first octet. IEEE 802-2014 §8.2.2. */
export function isGroupMac(mac: Mac): boolean {
  return Math.floor(mac / 2 ** 40) % 2 === 1;
}

/** The address of one station: neither a group's nor all zeros. */
export function isStationMac(mac: Mac): boolean {
  return mac !== 0 && !isGroupMac(mac);
}

/** Lower case with colons, as the kernel and flannel print it. */
export function formatMac(mac: Mac): string {
  return mac
    .toString(16)
    .padStart(12, '0')
    .replaceAll(/(..)(?=.)/g, '$1:');
}
