// The octet that is TOS in IPv4 and traffic class in IPv6: six bits of DSCP (RFC 2474 §3), two of ECN (RFC 3168 §5)
export const DSCP_SHIFT = 2;
export const ECN_MASK = 3;

export const ECN_NOT_ECT = 0;
export const ECN_ECT_1 = 1;
export const ECN_ECT_0 = 2;
export const ECN_CE = 3;
