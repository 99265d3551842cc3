// The packet kernels: everything the data-plane worker does to bytes. ABI: ../abi.ts. Loader: ../load.ts.

export { inboundItems, inboundReset, inboundSnooped } from './items';
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
} from './item-write';
export { enterSegment } from './count';
export { fdbForget, fdbLookup, fdbLookupMany, fdbSweep } from './fdb';
export { lookup4, lookup6, lookupMany4, useTables } from './fib';
export { icmpError, icmpQueued, icmpReset } from './icmp';
export { inboundMessage, inboundPrepare } from './inbound';
export { outboundFrame } from './outbound';
export { datagramIp, isFloodCopy, outboundDrop, outboundFlood, outboundFloodPeers } from './outbound-ethernet';
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
  segmentSpaceUsed,
  setBase,
  splitAddress,
  splitLength,
  splitRefused,
  splitSent,
  trainCount,
  trainPeer,
  trainsStaged,
} from './trains';
