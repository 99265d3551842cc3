/** The stages of a turn, each way, by the words that people read: docs/operations.md explains each. */
import type { StageReply, StagesReply } from './protocol.ts';

/** In the order of a turn. */
export function turnStages(
  { outbound, inbound }: StagesReply,
  direction: 'outbound' | 'inbound',
): readonly (readonly [name: string, stage: StageReply])[] {
  if (direction === 'outbound')
    return [
      ['wake-up', outbound.wake],
      ['read', outbound.read],
      ['our code', outbound.code],
      ['send', outbound.send],
    ];
  return [
    ['wake-up', inbound.wake],
    ['receive', inbound.receive],
    ['our code', inbound.code],
    ['write', inbound.write],
  ];
}
