import test from 'ava';
import { type IpPacket, readIpPacket } from '../../lib/capture/ip-packet.ts';
import { finishSum, judgeSum } from '../../lib/capture/transport-sum.ts';
import { foldSum, pseudoHeaderSum4 } from '../../lib/wire/checksum.ts';
import { hex } from '../wire/bytes.ts';
import { changed } from './frames.ts';

const PACKET = hex('4500 001e 0000 4000 4011 0000 0a000001 0a000002 1000 2000 000a 0000 0000');
const UDP_SUM = 26;
const DATA = 28;

/** A UDP datagram with two bytes of data and its sum as `sum` leaves it. */
function datagram(data: number, sum: (view: DataView, packet: IpPacket) => void) {
  const bytes = changed(PACKET, [0], (view) => view.setUint16(DATA, data));
  const view = new DataView(bytes.buffer);
  const packet = readIpPacket(view, 0, bytes.length) as IpPacket;
  sum(view, packet);
  return { view, packet };
}

test('a finished sum that happens to be that of the pseudo-header is right, not unfinished', (t) => {
  const pseudo = foldSum(pseudoHeaderSum4(0x0a00_0001, 0x0a00_0002, 17, 10));
  let alike = 0;
  for (let data = 0; data < 65_536; data++) {
    const { view, packet } = datagram(data, finishSum);
    if (view.getUint16(UDP_SUM) !== pseudo) continue;
    alike++;
    t.is(judgeSum(view, packet), 'right');
  }
  t.is(alike, 1);
});

test('unfinished, none and wrong are told apart', (t) => {
  const pseudo = foldSum(pseudoHeaderSum4(0x0a00_0001, 0x0a00_0002, 17, 10));
  const judged = (sum: number) => {
    const { view, packet } = datagram(7, (to) => to.setUint16(UDP_SUM, sum));
    return judgeSum(view, packet);
  };
  t.is(judged(pseudo), 'unfinished');
  t.is(judged(0), 'none');
  t.is(judged(pseudo ^ 1), 'wrong');
});
