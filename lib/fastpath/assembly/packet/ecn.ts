// What the outer header says about congestion, carried over to the inner one: RFC 6040 §4.2, normal mode.
// Twin: lib/wire/ecn.ts.
import { get16, put16 } from './bytes';
import { ECN_CE, ECN_ECT_0, ECN_ECT_1, ECN_MASK, ECN_NOT_ECT, IPV4_CHECKSUM, IPV4_TOS } from './layout';
import { putChecksum } from './packet';

/** Brings the packet at `ip` up to date with the outer TOS octet. False: it must be dropped, for its sender does not know ECN. */
@inline
export function decapEcn(ip: usize, outerTos: u32): bool {
  const outer = outerTos & ECN_MASK;
  // Of the outer marks only these two can change anything.
  if (outer != ECN_CE && outer != ECN_ECT_1) return true;
  return applyEcn(ip, outer);
}

function applyEcn(ip: usize, outer: u32): bool {
  const v4 = load<u8>(ip) >> 4 == 4;
  const inner: u32 = (v4 ? <u32>load<u8>(ip, IPV4_TOS) : get16(ip) >> 4) & ECN_MASK;
  if (inner == ECN_NOT_ECT) return outer != ECN_CE;
  if (inner == ECN_CE || inner == outer || (outer == ECN_ECT_1 && inner != ECN_ECT_0)) return true;
  if (v4) {
    store<u8>(ip, load<u8>(ip, IPV4_TOS) ^ <u8>(inner ^ outer), IPV4_TOS);
    // RFC 1624: the checksum falls by what the word rose.
    putChecksum(ip, get16(ip + IPV4_CHECKSUM) + inner + (0xffff - outer));
  } else {
    put16(ip, get16(ip) ^ ((inner ^ outer) << 4));
  }
  return true;
}
