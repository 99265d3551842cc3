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
  /** A flag that must be set is not. */
  | 'bad-flags'
  /** More IPv6 extension headers than we are willing to follow. */
  | 'too-many-headers';
