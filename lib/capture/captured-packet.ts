export interface ReadPacket {
  /** The first is 1, as in Wireshark. */
  readonly number: number;
  /** Since the epoch; undefined where the file has none. */
  readonly timestampNs: bigint | undefined;
  /** As many as were kept; a view that holds until the next packet is read. */
  readonly bytes: Uint8Array;
  /** On the wire. */
  readonly length: number;
  readonly linkType: number;
  /** undefined in pcap files, which name none. */
  readonly interfaceName: string | undefined;
}
