// What the outer header says about congestion, carried over to the inner one: RFC 6040 §4.2, normal mode.
// Twin: lib/wire/ecn.ts.
import { get16, put16 } from './bytes';
import { IPV4_CHECKSUM, IPV4_TOS } from './layout';
import { putChecksum } from './packet';

const ECN: u32 = 3;
const NOT_ECT: u32 = 0;
const ECT1: u32 = 1;
const ECT0: u32 = 2;
const CE: u32 = 3;

/** Brings the packet at `ip` up to date with the outer TOS octet. False: it must be dropped, for its sender does not know ECN. */
// @ts-ignore: decorator
@inline
export function decapEcn(ip: usize, outerTos: u32): bool {
  const outer = outerTos & ECN;
  // Of the outer marks only these two can change anything.
  if (outer != CE && outer != ECT1) return true;
  return applyEcn(ip, outer);
}

function applyEcn(ip: usize, outer: u32): bool {
  const v4 = load<u8>(ip) >> 4 == 4;
  const inner: u32 = (v4 ? <u32>load<u8>(ip, IPV4_TOS) : get16(ip) >> 4) & ECN;
  if (inner == NOT_ECT) return outer != CE;
  if (inner == CE || inner == outer || (outer == ECT1 && inner != ECT0)) return true;
  if (v4) {
    store<u8>(ip, load<u8>(ip, IPV4_TOS) ^ <u8>(inner ^ outer), IPV4_TOS);
    // RFC 1624: the checksum falls by what the word rose.
    putChecksum(ip, get16(ip + IPV4_CHECKSUM) + inner + (0xffff - outer));
  } else {
    put16(ip, get16(ip) ^ ((inner ^ outer) << 4));
  }
  return true;
}
