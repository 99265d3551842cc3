import test from 'ava';
import { NeighborHistory } from '../../../../lib/dataplane/worker/neighbor/history.ts';

const ADDRESS = 0x0a630001;
const OTHER = 0x0a630002;
const MAC = 0x02_00_00_00_00_01;
const NEW_MAC = 0x02_00_00_00_00_02;

test('who asks is news until the others have heard it, and again half the ageing time later', (t) => {
  const history = new NeighborHistory();
  t.true(history.isNews(ADDRESS, MAC, 0));
  history.announced(ADDRESS, MAC, 0);
  t.false(history.isNews(ADDRESS, MAC, 149_999));
  t.true(history.isNews(ADDRESS, MAC, 150_000));
});

test('an address at another MAC address is news at once', (t) => {
  const history = new NeighborHistory();
  history.announced(ADDRESS, MAC, 0);
  t.true(history.isNews(ADDRESS, NEW_MAC, 1));
  t.true(history.isNews(BigInt(ADDRESS), MAC, 1), 'an IPv6 address is another one');
});

test('who asks again within a minute after an answer got nothing from it', (t) => {
  const history = new NeighborHistory();
  t.false(history.asksAgain(MAC, OTHER, 0));
  history.answered(MAC, OTHER, 0);
  t.true(history.asksAgain(MAC, OTHER, 59_999));
  t.false(history.asksAgain(MAC, OTHER, 60_000));
  t.false(history.asksAgain(NEW_MAC, OTHER, 1), 'somebody else asks for the first time');
  t.false(history.asksAgain(MAC, BigInt(OTHER), 1));
});

test('memory is bounded: the oldest is forgotten', (t) => {
  const history = new NeighborHistory();
  for (let i = 0; i <= 16_384; i++) {
    history.announced(i, MAC, 0);
    history.answered(MAC, i, 0);
  }
  t.true(history.isNews(0, MAC, 0));
  t.false(history.isNews(1, MAC, 0));
  t.false(history.asksAgain(MAC, 0, 0));
  t.true(history.asksAgain(MAC, 1, 0));
});
