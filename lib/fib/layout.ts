// What the fast path and the builders of its tables agree on. Compiled by tsc and by asc: only `export const NAME = number`.

// FIB: a chunk has an entry of 16 bits for each value of 8 bits of an address. 0: no route; top bit clear: the next hop;
// top bit set: the number of the chunk for the next 8 bits.
export const FIB_CHUNK_ENTRIES = 256;
export const FIB_CHUNK_FLAG = 0x8000;

// FDB of leases: a bucket has slots of 64 bits, filled from the front: MAC address << 16 | peer number, 0 when free.
export const FDB_BUCKET_SLOTS = 4;
export const FDB_MAC_SHIFT = 16;
export const FDB_PEER_MASK = 0xffff;
