// The data of the peer monitor's echoes (lib/wire/probe.ts). Our own; in the order they are on the wire.
export const PROBE_MAGIC = 0;
export const PROBE_TOKEN = 8;
export const PROBE_DATA = 16;

// "weftecho" as two 32-bit numbers in network order.
export const PROBE_MAGIC_HIGH = 0x77656674;
export const PROBE_MAGIC_LOW = 0x6563686f;

// Identifier of the echo. Not what makes it a probe: a ping may have drawn the same.
export const PROBE_IDENTIFIER = 0x7766;
