// The fast path: everything the data-plane worker does to bytes. ABI: ../abi.ts. Loader: ../load.ts.

export { inboundItems, inboundReset, inboundSnooped } from './inbound/gro-items';
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
export { enterSegment } from './context';
export { fdbForget, fdbLookup, fdbLookupMany, fdbSweep } from './tables/fdb';
export { lookup4, lookup6, lookupMany4, useTables } from './tables/fib';
export { icmpError, icmpQueued, icmpReset } from './icmp';
export { inboundMessage, inboundPrepare } from './inbound/message';
export { setBase } from './msghdr';
export { outboundFrame } from './outbound/frame';
export { datagramIp, isFloodCopy, outboundDrop, outboundFlood, outboundFloodPeers } from './outbound/vxlan';
export {
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
  cutBytesStaged,
  splitAddress,
  splitLength,
  splitRefused,
  splitSent,
  trainCount,
  trainEncap,
  trainPeer,
  trainsStaged,
} from './outbound/trains';
