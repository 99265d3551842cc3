import test, { type ExecutionContext } from 'ava';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import type { KnownLease, Lease, StoredLease } from '../../lib/lease/lease.ts';
import { decodeLeaseAttrs } from '../../lib/lease/lease-attrs.ts';
import { type LeaseEvent, LeaseSet, type StoredChange } from '../../lib/lease/lease-set.ts';
import { formatSubnetKey, parseSubnetKey } from '../../lib/lease/subnet-key.ts';
import { Dice } from '../golden/dice.ts';
import { SlowLeaseSet } from './slow-lease-set.ts';

const OWN = parseIpv4('192.0.2.1');
const isOwn = ({ attrs }: Lease): boolean => attrs.publicIp === OWN;
const LEAVING_MS = 15_000;
const DAY_MS = 24 * 3_600_000;

/** Leases by their keys; of one that is leaving with the time when it ends. */
function keys(leases: readonly KnownLease[]): string {
  return leases
    .map(({ subnets, leavesAtMs }) => formatSubnetKey(subnets) + (leavesAtMs === undefined ? '' : `@${leavesAtMs}`))
    .join();
}

const KEYS = [
  '10.5.1.0-24',
  '10.5.2.0-24',
  '10.5.3.0-24',
  '10.5.2.0-25',
  '10.5.2.0-23',
  '10.5.4.0-24&fd00::-64',
  '10.5.5.0-24&fd00::-63',
];

/** A store that many write to, and that is emptied and set up anew from time to time. */
class RandomStore {
  readonly #dice: Dice;
  #revision = 100n;
  leases = new Map<string, StoredLease>();

  constructor(dice: Dice) {
    this.#dice = dice;
  }

  write(): StoredChange {
    const key = this.#dice.pick(KEYS);
    if (this.#dice.oneIn(3)) {
      this.leases.delete(key);
      return { type: 'delete', subnets: parseSubnetKey(key)! };
    }
    const createRevision = this.leases.get(key)?.createRevision ?? ++this.#revision;
    const attrs = decodeLeaseAttrs(`{"PublicIP":"192.0.2.${this.#dice.between(1, 5)}"}`);
    const what = { subnets: parseSubnetKey(key)!, attrs, expiresAtMs: undefined };
    const lease = { ...what, createRevision, reserved: this.#dice.oneIn(4) };
    this.leases.set(key, lease);
    return { type: 'put', lease };
  }

  empty(): void {
    this.leases.clear();
    this.#revision = 1n;
  }
}

function runHistory(t: ExecutionContext, dice: Dice): boolean {
  const [set, slow, store] = [
    new LeaseSet({ isOwn, leavingMs: LEAVING_MS }),
    new SlowLeaseSet(isOwn, LEAVING_MS),
    new RandomStore(dice),
  ];
  const followed = new Map<string, KnownLease>();
  let now = 0;
  for (let step = 0; step < 40; step++) {
    now += dice.pick([0, 1, 4000, 8000, 20_000, DAY_MS / 2]);
    const events: LeaseEvent[] = [set.expire(now)].filter((event) => event !== undefined);
    slow.expire(now);
    const what = dice.below(10);
    if (what === 0) {
      set.resume(now);
      slow.resume(now);
    } else if (what < 7) {
      const changes = Array.from({ length: dice.between(1, 4) }, () => store.write());
      events.push(set.apply(changes, now));
      slow.apply(changes, now);
    } else {
      const another = dice.oneIn(4);
      if (another || dice.oneIn(4)) store.empty();
      const list = [...store.leases.values()];
      events.push(set.replace(list, now, !another));
      slow.replace(list, now, !another);
    }
    for (const { changes } of events)
      for (const change of changes) {
        if (change.type === 'delete') followed.delete(formatSubnetKey(change.previous.subnets));
        else followed.set(formatSubnetKey(change.lease.subnets), change.lease);
      }
    // What `resume` changes, the next event shows.
    const leases = what === 0 ? undefined : events.at(-1)?.leases;
    const expected = slow.leases();
    const same = leases === undefined || keys(leases) === keys(expected);
    const sameKeys =
      [...followed.keys()].sort().join() ===
      expected
        .map(({ subnets }) => formatSubnetKey(subnets))
        .sort()
        .join();
    if (same && sameKeys) continue;
    t.fail(
      `WEFT_SEED=${dice.seed} step ${step}: ${leases && keys(leases)} but ${keys(expected)}; by changes ${[...followed.keys()].join()}`,
    );
    return false;
  }
  return true;
}

test('does what its slow twin does, in random histories', (t) => {
  const dice = new Dice();
  for (let history = 0; history < 2000; history++) if (!runHistory(t, dice)) return;
  t.pass();
});
