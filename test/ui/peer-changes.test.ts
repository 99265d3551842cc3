import test from 'ava';
import { PeerChanges } from '../../lib/ui/peer-changes.ts';
import { PEERS } from '../cli/replies.ts';

test('peers are told as changes of what was told before', (t) => {
  const [first, second] = [PEERS.peers[0]!, PEERS.peers[1]!];
  const changes = new PeerChanges();
  t.is(changes.take([]), undefined);
  t.deepEqual(changes.take([first, second]), { changed: [first, second], gone: [] });
  t.is(changes.take([{ ...second }, { ...first }]), undefined);
  const other = { ...first, note: 'leaving: its key is gone' };
  t.deepEqual(changes.take([other, second]), { changed: [other], gone: [] });
  t.deepEqual(changes.take([other]), { changed: [], gone: [second.subnet] });
  t.deepEqual(changes.all, { changed: [other], gone: [] });
});
