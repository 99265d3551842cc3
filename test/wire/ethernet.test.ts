import test from 'ava';
import {
  checkEthernet,
  emitEthernetHeader,
  formatEthernetHeader,
  parseEthernetHeader,
} from '../../lib/wire/ethernet.ts';
import { hex, viewOf } from './bytes.ts';
import { testHeaderCodec } from './header-suite.ts';

// The first frame in test/vectors/flanneld-udp/h1-underlay.pcap.
const FRAME = hex('024bba2da675 cad564454c9e 0800');

testHeaderCodec({ name: 'Ethernet', check: checkEthernet, parse: parseEthernetHeader, emit: emitEthernetHeader }, [
  {
    name: 'a frame between two hosts',
    bytes: FRAME,
    header: { destination: 0x024bba2da675, source: 0xcad564454c9e, type: 0x0800 },
  },
  {
    name: 'a broadcast',
    bytes: hex('ffffffffffff 000000000001 88cc'),
    header: { destination: 0xffffffffffff, source: 1, type: 0x88cc },
  },
]);

test('Ethernet: prints a header on one line', (t) => {
  t.is(
    formatEthernetHeader(parseEthernetHeader(viewOf(FRAME), 0)),
    'Ethernet ca:d5:64:45:4c:9e > 02:4b:ba:2d:a6:75 IPv4',
  );
  t.is(
    formatEthernetHeader({ destination: 0xffffffffffff, source: 1, type: 0x0042 }),
    'Ethernet 00:00:00:00:00:01 > ff:ff:ff:ff:ff:ff type 0x0042',
  );
});
