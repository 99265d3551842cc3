/**
 * DSCP and ECN of the outer header of a tunnel, RFC 6040 in normal mode. The fast path has its own, fast version; this
 * is the definition they are held to.
 *
 * Congestion is marked on whatever header a router sees. Inside the underlay that is the outer one: so the outer one must say
 * whether the ends understand the mark, and what is marked there must come through to the inner one.
 */
import { DSCP_SHIFT, ECN_CE, ECN_ECT_0, ECN_ECT_1, ECN_MASK, ECN_NOT_ECT } from './layout/ecn.ts';

/** The two low bits of the TOS octet: ECN_NOT_ECT, ECN_ECT_1, ECN_ECT_0 or ECN_CE. */
export type Ecn = typeof ECN_NOT_ECT | typeof ECN_ECT_1 | typeof ECN_ECT_0 | typeof ECN_CE;

/** The outer DSCP: a number from 0 to 63, or the inner packet's. */
export type OuterDscp = number | 'inherit';

/** The ECN bits of a TOS octet or traffic class. */
export function ecnOf(tos: number): Ecn {
  // 0 to 3 are all there is.
  return (tos & ECN_MASK) as Ecn;
}

/** The outer ECN for an inner one: the same. RFC 6040 §4.1, normal mode. */
export function encapEcn(inner: Ecn): Ecn {
  return inner;
}

// RFC 6040 §4.2, figure 4: rows are the arriving inner header, columns the arriving outer one, both in the order Not-ECT, ECT(0),
// ECT(1), CE.
const COLUMNS: readonly Ecn[] = [ECN_NOT_ECT, ECN_ECT_0, ECN_ECT_1, ECN_CE];
const FIGURE_4: ReadonlyMap<Ecn, readonly (Ecn | 'drop')[]> = new Map([
  [ECN_NOT_ECT, [ECN_NOT_ECT, ECN_NOT_ECT, ECN_NOT_ECT, 'drop']],
  [ECN_ECT_0, [ECN_ECT_0, ECN_ECT_0, ECN_ECT_1, ECN_CE]],
  [ECN_ECT_1, [ECN_ECT_1, ECN_ECT_1, ECN_ECT_1, ECN_CE]],
  [ECN_CE, [ECN_CE, ECN_CE, ECN_CE, ECN_CE]],
]);

/**
 * The inner ECN that a packet goes on with. 'drop': congestion was marked on a packet whose sender does not know ECN, and a drop is
 * what it does know. RFC 6040 §4.2.
 */
export function decapEcn(inner: Ecn, outer: Ecn): Ecn | 'drop' {
  return FIGURE_4.get(inner)![COLUMNS.indexOf(outer)]!;
}

/** The outer TOS octet for an inner one; `innerTos` is undefined when the inner packet is not IP. */
export function outerTos(dscp: OuterDscp, innerTos: number | undefined): number {
  const inherited = innerTos === undefined ? 0 : innerTos >>> DSCP_SHIFT;
  const ecn = innerTos === undefined ? ECN_NOT_ECT : encapEcn(ecnOf(innerTos));
  return ((dscp === 'inherit' ? inherited : dscp) << DSCP_SHIFT) | ecn;
}
