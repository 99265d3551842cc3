import test from 'ava';
import { formatIpv4, parseIpv4 } from '../../lib/addr/ipv4.ts';
import { formatPrefix, type Prefix, parsePrefix } from '../../lib/addr/prefix.ts';
import { type Choice, chooseSubnets, fitsConfig, type HeldKey } from '../../lib/lease/allocate.ts';
import type { SubnetPair } from '../../lib/lease/lease.ts';
import { decodeLeaseAttrs } from '../../lib/lease/lease-attrs.ts';
import { type NetworkConfig, parseNetworkConfig } from '../../lib/lease/network-config.ts';
import { formatSubnetKey, parseSubnetKey, subnetsClaimedByKey } from '../../lib/lease/subnet-key.ts';

const CONFIG = parseNetworkConfig('{"Network":"10.5.0.0/16","SubnetMin":"10.5.10.0"}');
const DUAL = parseNetworkConfig('{"Network":"10.5.0.0/16","EnableIPv6":true,"IPv6Network":"fd00:5::/48"}');
const OWN = '192.0.2.1';

function pair(key: string): SubnetPair {
  return parseSubnetKey(key)!;
}

/** A key held by the node with `publicIp`; '' stands for a value that does not parse. */
function held(key: string, publicIp: string, reserved = false): HeldKey {
  const subnets = parseSubnetKey(key);
  const lease =
    subnets === undefined || publicIp === ''
      ? undefined
      : { subnets, attrs: decodeLeaseAttrs(`{"PublicIP":"${publicIp}"}`) };
  return { key, lease, claims: subnetsClaimedByKey(key), reserved };
}

/** The choice in words: "reused 10.5.20.0-24", "allocated 10.5.10.0-24 replacing a,b". */
function choose(keys: HeldKey[], previous?: string, config: NetworkConfig = CONFIG, random = () => 0): string {
  const publicIp = parseIpv4(OWN)!;
  const choice: Choice<HeldKey> = chooseSubnets({
    config,
    publicIp,
    previous: previous === undefined ? undefined : pair(previous),
    held: keys,
    random,
  });
  if (choice.origin === 'reused') return `reused ${choice.held.key}`;
  const replaces = choice.replaces.length === 0 ? '' : ` replacing ${choice.replaces.map(({ key }) => key).join()}`;
  return `${choice.origin} ${formatSubnetKey(choice.subnets)}${replaces}`;
}

test('takes the key that carries its PublicIP if it fits', (t) => {
  t.is(choose([held('10.5.30.0-24', '192.0.2.9'), held('10.5.20.0-24', OWN)], '10.5.77.0-24'), 'reused 10.5.20.0-24');
  t.is(choose([held('10.5.20.0-24', OWN), held('10.5.77.0-24', OWN)], '10.5.77.0-24'), 'reused 10.5.77.0-24');
  t.is(choose([held('10.5.20.0-24', OWN, true)]), 'reused 10.5.20.0-24', 'a reservation');
});

test('replaces its keys that no longer fit, but leaves reservations alone', (t) => {
  t.is(choose([held('10.9.0.0-24', OWN)]), 'allocated 10.5.10.0-24 replacing 10.9.0.0-24');
  t.is(choose([held('10.5.9.0-24', OWN)]), 'allocated 10.5.10.0-24 replacing 10.5.9.0-24', 'below SubnetMin');
  t.is(choose([held('10.5.0.0-20', OWN)]), 'allocated 10.5.16.0-24 replacing 10.5.0.0-20', 'another length');
  t.is(choose([held('10.5.0.0-20', OWN, true)]), 'allocated 10.5.16.0-24', 'the reservation still claims its range');
  t.is(
    choose([held('10.5.20.0-24&fd00:5:0:7::-64', OWN)]),
    'allocated 10.5.10.0-24 replacing 10.5.20.0-24&fd00:5:0:7::-64',
  );
});

test('takes the previous subnet if it fits and nobody overlaps it', (t) => {
  t.is(choose([], '10.5.77.0-24'), 'previous 10.5.77.0-24');
  t.is(choose([held('10.5.77.0-24', '192.0.2.9')], '10.5.77.0-24'), 'allocated 10.5.10.0-24', 'held');
  t.is(choose([held('10.5.64.0-20', '192.0.2.9')], '10.5.77.0-24'), 'allocated 10.5.10.0-24', 'overlapped');
  t.is(choose([held('10.5.77.0-24', '')], '10.5.77.0-24'), 'allocated 10.5.10.0-24', 'held by an unreadable value');
  t.is(choose([held('x10.5.77.0-24', '')], '10.5.77.0-24'), 'allocated 10.5.10.0-24', 'claimed by an odd key');
  t.is(choose([], '10.5.9.0-24'), 'allocated 10.5.10.0-24', 'below SubnetMin');
  t.is(choose([], '10.5.77.0-25'), 'allocated 10.5.10.0-24', 'another length');
  t.is(choose([], '10.5.77.0-24&fd00:5:0:7::-64'), 'allocated 10.5.10.0-24', 'IPv6 is off');
  t.is(choose([], '10.5.77.0-24&fd00:5:0:7::-64', DUAL), 'previous 10.5.77.0-24&fd00:5:0:7::-64');
  t.is(choose([], '10.5.77.0-24', DUAL), 'allocated 10.5.1.0-24&fd00:5:0:1::-64', 'IPv6 is on');
});

test('picks among the first hundred free subnets, the families independently', (t) => {
  t.is(
    choose([], undefined, CONFIG, () => 0.999999),
    'allocated 10.5.109.0-24',
  );
  t.is(
    choose([], undefined, CONFIG, () => 1),
    'allocated 10.5.109.0-24',
    'a random source that returns 1 is survived',
  );
  const draws = [0.5, 0.25];
  t.is(
    choose([], undefined, DUAL, () => draws.shift() ?? 0),
    'allocated 10.5.51.0-24&fd00:5:0:1a::-64',
  );
  const others = ['10.5.10.0-24', '10.5.11.0-25', '10.5.12.128-25', '10.5.13.0-24'];
  t.is(choose(others.map((key) => held(key, '192.0.2.9'))), 'allocated 10.5.14.0-24');
  t.is(
    choose([held('10.5.1.0-24', '192.0.2.9')], undefined, DUAL),
    'allocated 10.5.2.0-24&fd00:5:0:1::-64',
    'an IPv4-only lease',
  );
});

test('is out of subnets only when none is left', (t) => {
  const config = parseNetworkConfig('{"Network":"10.5.0.0/24","SubnetLen":26}');
  const others = ['10.5.0.64-26', '10.5.0.128-26'].map((key) => held(key, '192.0.2.9'));
  t.is(choose(others, undefined, config), 'allocated 10.5.0.192-26');
  const full = [...others, held('10.5.0.192-26', '')];
  t.throws(() => choose(full, undefined, config), {
    code: 'OUT_OF_SUBNETS',
    message: 'No free subnet is left in Network: 10.5.0.64/26 to 10.5.0.192/26 are all taken',
  });
  t.throws(() => choose([held('10.0.0.0-8', '192.0.2.9')]), { code: 'OUT_OF_SUBNETS' }, 'one key over everything');
});

test('jumps over a key that covers a whole IPv6 network', (t) => {
  const config = parseNetworkConfig('{"Network":"10.5.0.0/16","EnableIPv6":true,"IPv6Network":"fd00::/16"}');
  t.throws(() => choose([held('10.5.1.0-24&fd00::-16', '192.0.2.9')], undefined, config), {
    code: 'OUT_OF_SUBNETS',
    message: /IPv6Network/,
  });
  t.is(choose([held('10.5.1.0-24&fd00::-17', '192.0.2.9')], undefined, config), 'allocated 10.5.2.0-24&fd00:8000::-64');
});

test('agrees with a walk over every subnet, for random keys', (t) => {
  const config = parseNetworkConfig('{"Network":"10.5.0.0/20","SubnetLen":28}');
  let seed = Date.now() % 0x7fffffff;
  const first = seed;
  const random = () => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    return seed / 0x80000000;
  };
  for (let round = 0; round < 200; round++) {
    const keys = Array.from({ length: Math.floor(random() * 40) }, () => {
      const length = 20 + Math.floor(random() * 12);
      const address = 0x0a050000 + Math.floor(random() * 4096);
      return held(`${formatIpv4(address)}-${length}`, '');
    });
    const claims = keys.flatMap((key) => key.claims);
    const free = walk(config).filter((subnet) => !claims.some((claim) => overlaps(claim, subnet)));
    const expected = free.length === 0 ? 'none' : formatPrefix(free[Math.min(99, free.length - 1)]!);
    let chosen = 'none';
    try {
      chosen = choose(keys, undefined, config, () => 0.9999999)
        .replace('allocated ', '')
        .replace('-', '/');
    } catch {}
    t.is(chosen, expected, `seed ${first}, round ${round}: ${keys.map(({ key }) => key).join()}`);
  }
});

function walk(config: NetworkConfig): Prefix[] {
  const all: Prefix[] = [];
  for (let address = config.subnetMin.address; address <= config.subnetMax.address; address += 16)
    all.push(parsePrefix(`${formatIpv4(address)}/28`)!);
  return all;
}

/** Address by address. */
function overlaps(a: Prefix, b: Prefix): boolean {
  const end = (prefix: Prefix) => Number(prefix.address) + 2 ** (32 - prefix.length);
  return Number(a.address) < end(b) && Number(b.address) < end(a);
}

test('says whether subnets fit a configuration', (t) => {
  t.true(fitsConfig(pair('10.5.10.0-24'), CONFIG));
  t.true(fitsConfig(pair('10.5.255.0-24'), CONFIG));
  t.false(fitsConfig(pair('10.6.0.0-24'), CONFIG));
  t.true(fitsConfig(pair('10.5.1.0-24&fd00:5:0:1::-64'), DUAL));
  t.false(fitsConfig(pair('10.5.1.0-24&fd00:5::-64'), DUAL), 'the first IPv6 subnet is not handed out');
  t.false(fitsConfig(pair('10.5.1.0-24&fd00:5:0:1::-65'), DUAL));
});
