/** The dissector: a Lua file that Wireshark reads wherever it runs, with Weft or without. */
import { readFileSync } from 'node:fs';

/** weft.lua, which lies in lib/ and is not copied to dist/lib/. */
export const DISSECTOR_FILE = new URL('../../../lib/wireshark/weft.lua', import.meta.url);

export function readDissector(): string {
  return readFileSync(DISSECTOR_FILE, 'utf8');
}
