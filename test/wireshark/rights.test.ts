import test from 'ava';
import { mayOpenPacketSockets } from '../../lib/wireshark/rights.ts';

test('CAP_NET_RAW is bit 13 of the effective capabilities', (t) => {
  t.true(mayOpenPacketSockets('Name:\tx\nCapPrm:\t0000000000000000\nCapEff:\t0000000000002000\n'));
  t.true(mayOpenPacketSockets('CapEff:\t000001ffffffffff\n'));
  t.false(mayOpenPacketSockets('CapPrm:\t0000000000002000\nCapEff:\t0000000000001fff\n'));
  t.false(mayOpenPacketSockets(''));
});
