import test from 'ava';
import { formatMac, isGroupMac, isStationMac, parseMac } from '../../lib/addr/mac.ts';

test('reads and prints a MAC address', (t) => {
  t.is(parseMac('ca:d5:64:45:4c:9e'), 0xcad564454c9e);
  t.is(parseMac('CA:D5:64:45:4C:9E'), 0xcad564454c9e);
  t.is(formatMac(0xcad564454c9e), 'ca:d5:64:45:4c:9e');
  t.is(formatMac(1), '00:00:00:00:00:01');
  t.is(formatMac(0xffffffffffff), 'ff:ff:ff:ff:ff:ff');
});

test('refuses anything but six pairs of hex digits', (t) => {
  for (const text of [
    '',
    'ca:d5:64:45:4c',
    'ca:d5:64:45:4c:9e:00',
    'cad564454c9e',
    'ca-d5-64-45-4c-9e',
    'g0:00:00:00:00:00',
    'c:d5:64:45:4c:9e',
  ])
    t.is(parseMac(text), undefined, text);
});

test('knows a group from a station', (t) => {
  for (const text of ['ff:ff:ff:ff:ff:ff', '01:00:5e:00:00:01', '33:33:00:00:00:16']) {
    t.true(isGroupMac(parseMac(text)!), text);
    t.false(isStationMac(parseMac(text)!), text);
  }
  for (const text of ['ca:d5:64:45:4c:9e', 'fe:ff:ff:ff:ff:ff', '00:00:00:00:00:01']) {
    t.false(isGroupMac(parseMac(text)!), text);
    t.true(isStationMac(parseMac(text)!), text);
  }
  t.false(isGroupMac(0));
  t.false(isStationMac(0));
});
