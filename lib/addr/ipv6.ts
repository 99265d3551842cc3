/** An IPv6 address as an unsigned 128-bit bigint in host order: ::1 is 1n. */
export type Ipv6 = bigint;

/** Parses RFC 4291 §2.2 text, also with an embedded dotted quad; no zone. Else undefined. */
export function parseIpv6(text: string): Ipv6 | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] ?? '', halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1] ?? '', true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  let address = 0n;
  for (const group of [...head, ...Array.from({ length: missing }, () => 0), ...tail])
    address = (address << 16n) | BigInt(group);
  return address;
}

/** Up to eight 16-bit groups; the last may be a dotted quad if `quadAllowed` (it then counts as two). */
function parseGroups(text: string, quadAllowed: boolean): number[] | undefined {
  if (text === '') return [];
  const parts = text.split(':');
  const groups: number[] = [];
  for (const [index, part] of parts.entries()) {
    if (quadAllowed && index === parts.length - 1 && part.includes('.')) {
      const quad = part.split('.');
      if (quad.length !== 4 || quad.some((octet) => !/^(0|[1-9][0-9]{0,2})$/.test(octet) || Number(octet) > 255))
        return undefined;
      const [a = 0, b = 0, c = 0, d = 0] = quad.map(Number);
      groups.push(a * 256 + b, c * 256 + d);
      continue;
    }
    if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined;
    groups.push(Number.parseInt(part, 16));
  }
  return groups.length <= 8 ? groups : undefined;
}

/** RFC 5952 text: lower case, the longest run of two or more zero groups (the first of equals) as `::`. */
export function formatIpv6(address: Ipv6): string {
  const groups: number[] = [];
  for (let shift = 112n; shift >= 0n; shift -= 16n) groups.push(Number((address >> shift) & 0xffffn));
  let best = { start: 0, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  const hex = groups.map((group) => group.toString(16));
  if (best.length < 2) return hex.join(':');
  return `${hex.slice(0, best.start).join(':')}::${hex.slice(best.start + best.length).join(':')}`;
}

/** ff00::/8, RFC 4291 §2.7. */
export function isMulticast6(address: Ipv6): boolean {
  return address >> 120n === 0xffn;
}

/** fe80::/10, RFC 4291 §2.5.6. */
export function isLinkLocal6(address: Ipv6): boolean {
  return address >> 118n === 0xfe80n >> 6n;
}
