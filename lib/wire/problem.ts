/**
 * Why bytes are not a header of some protocol. The `check` functions of this room return one of these, or undefined when the
 * header is whole; after that the readers of the same file cannot fail.
 */
export type WireProblem =
  /** Fewer bytes than the header, or than the header's own length field promises. */
  | 'truncated'
  /** The version field names another protocol. */
  | 'wrong-version'
  /** The header length field is smaller than the shortest legal header. */
  | 'bad-header-length'
  /** The length field of the whole is smaller than the header. */
  | 'bad-length'
  /** A type field names something that this file does not read. */
  | 'wrong-type'
  /** A flag that must be set is not. */
  | 'bad-flags'
  /** More IPv6 extension headers than we are willing to follow. */
  | 'too-many-headers'
  /** It has crossed a router, which it must not. */
  | 'bad-hop-limit'
  /** Only where the standard makes the checksum part of being valid; else it is a question of its own. */
  | 'bad-checksum'
  /** An address that this message may not have. */
  | 'bad-address';
