// The fast path: everything the data-plane worker does to bytes. ABI: ../abi.ts. Loader: ../load.ts.

export { enterSegment } from './context';
export { icmpQueued, icmpReset } from './icmp';
export { inboundItems, inboundReset, inboundSnooped } from './inbound/gro-items';
export { inboundMessage, inboundPrepare } from './inbound/message';
export {
  inboundWrite,
  itemCount,
  itemL2,
  itemPart,
  itemProtocol,
  itemRefused,
  itemSegment,
  itemWritten,
  partRefused,
  partWritten,
} from './inbound/tun-write';
export { setBase } from './msghdr';
export { outboundFrame } from './outbound/frame';
export {
  cutBytesStaged,
  messageGroupEnd,
  messageSocket,
  messageTrain,
  outboundComplete,
  outboundMessages,
  outboundRefused,
  outboundReset,
  outboundSent,
  outboundSplit,
  piecesFree,
  splitAddress,
  splitLength,
  splitRefused,
  splitSent,
  trainCount,
  trainPeer,
  trainsStaged,
} from './outbound/trains';
export {
  datagramError,
  datagramIp,
  isFloodCopy,
  outboundDrop,
  outboundFlood,
  outboundFloodPeers,
} from './outbound/vxlan';
export { fdbForget, fdbLookup, fdbLookupMany, fdbSweep } from './tables/fdb';
export { lookup4, lookup6, lookupMany4, useTables } from './tables/fib';
export { tapAnswered, tapSet } from './tap';
