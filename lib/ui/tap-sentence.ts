/** Why no packet can be shown, as far as weftd's status says it. Pure. */
import type { StatusReply } from '../control/protocol.ts';
import type { Sentence } from './messages.ts';

/** Undefined: the tap can be asked. `tapSocket`: that of the command line. */
export function noPacketsSentence({ tap, backend }: StatusReply, tapSocket: string | undefined): Sentence | undefined {
  if (backend?.type === 'host-gw' || backend?.type === 'alloc')
    return {
      text: `No packet of this network passes through weftd: with ${backend.type} the kernel alone carries them`,
      hint: backend.type === 'host-gw' ? 'weft capture shows them (needs root)' : null,
    };
  // A weftd that is older than this program has no tap.
  if (tapSocket === undefined && (tap?.socket ?? null) === null)
    return {
      text: 'This weftd shows no packets: its tap is switched off',
      hint: 'start it without --tap-socket=, and with --tap-group=GROUP for readers other than root',
    };
  return undefined;
}
