// The packet kernels: everything the data-plane worker does to bytes. ABI: ../abi.ts. Loader: ../load.ts.
export {
  icmpError,
  icmpQueued,
  icmpReset,
} from './icmp';
export { lookup4, lookup6, lookupMany4, lookupSource, useFib } from './fib';
export { inboundMessage, inboundPrepare } from './inbound';
export {
  inboundItems,
  inboundReset,
  inboundWrite,
  itemCount,
  itemPart,
  itemProtocol,
  itemRefused,
  itemWritten,
  partRefused,
  partWritten,
} from './coalesce';
export { outboundFrame } from './outbound';
export {
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
  trainsStaged,
} from './trains';
export { copySumBytes, fold, sumBytes } from './checksum';
