/** Ends the reading of a capture file: the rest makes no sense, or is missing. The message says why and where. */
export class CaptureProblem extends Error {}

/** tcpdump's limit of a snap length (MAXIMUM_SNAPLEN): a longer packet is a broken length. */
export const MAX_CAPTURED = 262_144;
