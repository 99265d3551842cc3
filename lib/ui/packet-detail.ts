/** A packet of the list, whole: what became of it, where it was when, and every field of its headers. Pure. */
import type { TapRecord } from '../control/tap-client.ts';
import { formatCount } from '../units.ts';
import type { PacketDetail, PacketLine } from './messages.ts';
import { drawRecord, type Surroundings } from './outer-headers.ts';
import { timeOfDay } from './packet-line.ts';

export interface KeptPacket {
  readonly line: PacketLine;
  readonly record: TapRecord;
  readonly around: Surroundings | undefined;
}

/** `dropReasons`: what each means. */
export function packetDetail(kept: KeptPacket, dropReasons: Readonly<Record<string, string>>): PacketDetail {
  const { line, record, around } = kept;
  const { headers, bytes, outer } = drawRecord(record, around);
  return {
    line,
    sentence: sentenceOf(record, around, dropReasons),
    notes: notesOf(record, outer > 0),
    points: pointsOf(record, around),
    headers,
    bytes: Buffer.from(bytes).toString('hex'),
    length: outer + record.length,
  };
}

function sentenceOf(
  { direction, verdict, reason, peer, packets }: TapRecord,
  around: Surroundings | undefined,
  dropReasons: Readonly<Record<string, string>>,
): string {
  const device = deviceOf(around);
  const far = peer ?? 'a peer';
  switch (verdict) {
    case 'dropped': {
      const where = direction === 'outbound' ? `on its way out of ${device}` : `on arrival from ${far}`;
      const why = dropReasons[reason ?? ''];
      return `Dropped ${where}: ${reason ?? 'for no reason that is known'}${why === undefined ? '' : `. ${why}`}`;
    }
    case 'flooded':
      return `Read from ${device} and sent to all peers: ${formatCount(packets)} ${packets === 1 ? 'copy' : 'copies'}`;
    case 'answered':
      return `Read from ${device} and answered by weftd in place of its target: nothing of it left this node`;
    case 'forwarded':
      return direction === 'outbound'
        ? `Read from ${device} and sent to ${far}${tunnelWords(around)}`
        : `Received from ${far}${tunnelWords(around)} and written to ${device}`;
  }
}

function tunnelWords(around: Surroundings | undefined): string {
  switch (around?.wire.encapsulation) {
    case 'vxlan':
      return ` in VXLAN, VNI ${around.wire.vni}`;
    case 'ip-in-udp':
      return ' in UDP';
    case 'ipip':
      return ' in IP';
    default:
      return '';
  }
}

function notesOf(record: TapRecord, hasOuter: boolean): string[] {
  const { train, superPacket, gsoSize, packets, direction, verdict, bytes, length } = record;
  const notes: string[] = [];
  if (train !== null && train.packets > 1)
    notes.push(`${formatCount(train.index + 1)} of a train of ${formatCount(train.packets)}`);
  if (superPacket && packets > 1) notes.push(`a super-packet: it stands for ${formatCount(packets)} packets`);
  else if (superPacket)
    notes.push(`part of a super-packet${gsoSize > 0 ? ` cut by ${formatCount(gsoSize)} bytes` : ''}`);
  else if (packets > 1 && verdict !== 'flooded') notes.push(`it stands for ${formatCount(packets)} packets`);
  if (!hasOuter && verdict === 'dropped' && direction === 'outbound')
    notes.push('it had no outer headers yet: this is the packet as it was read');
  if (bytes.length < length)
    notes.push(`the first ${formatCount(bytes.length)} of its ${formatCount(length)} bytes were kept`);
  return notes;
}

function pointsOf(
  { direction, peer, timeIn, timeOut }: TapRecord,
  around: Surroundings | undefined,
): PacketDetail['points'] {
  const isOutbound = direction === 'outbound';
  const device = deviceOf(around);
  const first = {
    name: isOutbound ? `read from ${device}` : `received from ${peer ?? 'the underlay'}`,
    time: timeOfDay(timeIn),
    us: 0,
  };
  if (timeOut === null) return [first];
  const name = isOutbound ? (peer === null ? 'sent' : `sent to ${peer}`) : `written to ${device}`;
  return [first, { name, time: timeOfDay(timeOut), us: Number(timeOut - timeIn) / 1000 }];
}

function deviceOf(around: Surroundings | undefined): string {
  return around?.device ?? "the overlay's device";
}
