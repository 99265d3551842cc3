// The packet kernels: everything the data-plane worker does to bytes. ABI: ../abi.ts. Loader: ../load.ts.

export { inboundItems, inboundReset } from './items';
export {
  inboundWrite,
  itemCount,
  itemPart,
  itemProtocol,
  itemRefused,
  itemWritten,
  partRefused,
  partWritten,
} from './item-write';
export { lookup4, lookup6, lookupMany4, useFib } from './fib';
export {
  icmpError,
  icmpQueued,
  icmpReset,
} from './icmp';
export { inboundMessage, inboundPrepare } from './inbound';
export { outboundFrame } from './outbound';
export {
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
