/**
 * Whether the rules of nftables stop a packet, from what `nft -j list ruleset` says (libnftables-json(5)). A rule with a condition
 * that is not judged here (connection state, a set, an extension of iptables) may match or not, and that is what is said.
 */
import { type Ipv4, parseIpv4 } from '../../addr/ipv4.ts';
import { ipv4Prefix, prefixContains } from '../../addr/prefix.ts';

export interface FirewallPacket {
  readonly hook: 'forward' | 'input' | 'output';
  readonly iif: string | undefined;
  readonly oif: string | undefined;
  readonly source: Ipv4;
  readonly destination: Ipv4;
  /** "icmp", "tcp", "udp", "ipencap". */
  readonly protocol: string;
  readonly destinationPort: number | undefined;
}

export interface FirewallVerdict {
  readonly verdict: 'accept' | 'drop' | 'may-drop';
  /** "chain forward of table inet filter: policy drop"; '' for accept. */
  readonly text: string;
}

interface Chain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly hook?: string;
  readonly prio?: number;
  readonly policy?: string;
}

type Json = Readonly<Record<string, unknown>>;

interface Rule {
  readonly family: string;
  readonly table: string;
  readonly chain: string;
  readonly handle?: number;
  readonly expr: readonly Json[];
}

/** A ruleset read once. */
export class Firewall {
  readonly #chains: Chain[] = [];
  readonly #rules = new Map<string, Rule[]>();

  /** Undefined for what is no output of `nft -j`. */
  static parse(text: string): Firewall | undefined {
    let items: unknown;
    try {
      items = (JSON.parse(text) as { nftables?: unknown }).nftables;
    } catch {
      return undefined;
    }
    return Array.isArray(items) ? new Firewall(items as Json[]) : undefined;
  }

  constructor(items: readonly Json[]) {
    for (const item of items) {
      if ('chain' in item) this.#chains.push(item.chain as Chain);
      if ('rule' in item) {
        const rule = item.rule as Rule;
        const key = keyOf(rule, rule.chain);
        const rules = this.#rules.get(key);
        if (rules === undefined) this.#rules.set(key, [rule]);
        else rules.push(rule);
      }
    }
  }

  judge(packet: FirewallPacket): FirewallVerdict {
    let maybe: string | undefined;
    const bases = this.#chains.filter(
      ({ family, hook }) => hook === packet.hook && (family === 'ip' || family === 'inet'),
    );
    for (const chain of bases.sort((a, b) => (a.prio ?? 0) - (b.prio ?? 0))) {
      const result = this.#run(chain, packet, 0);
      let { end, text } = result;
      if (end === 'none' && chain.policy === 'drop') {
        end = 'drop';
        text = `${nameOf(chain)}: policy drop`;
      }
      if (end === 'drop' && result.certain) return { verdict: 'drop', text };
      if (end === 'drop') maybe ??= text;
      maybe ??= result.maybe;
    }
    return maybe === undefined ? { verdict: 'accept', text: '' } : { verdict: 'may-drop', text: maybe };
  }

  #run(chain: Chain, packet: FirewallPacket, depth: number): Run {
    let certain = true;
    let maybe: string | undefined;
    // A loop of jumps is refused by the kernel, which allows 16.
    if (depth > 16) return { end: 'none', certain: false, text: '', maybe };
    for (const rule of this.#rules.get(keyOf(chain, chain.name)) ?? []) {
      const matches = judgeRule(rule, packet);
      if (matches === false) continue;
      const action = actionOf(rule);
      const text = `${nameOf(chain)}: rule ${rule.handle ?? '?'}, ${action.kind}`;
      if (action.kind === 'drop' || action.kind === 'reject') {
        if (matches === true) return { end: 'drop', certain, text, maybe };
        maybe ??= text;
      } else if (action.kind === 'accept' || action.kind === 'return') {
        if (matches === true) return { end: action.kind === 'accept' ? 'accept' : 'none', certain, text: '', maybe };
        certain = false;
      } else if (action.target !== undefined) {
        const below = this.#run({ ...chain, name: action.target }, packet, depth + 1);
        maybe ??= below.maybe;
        if (matches === undefined || !below.certain) {
          if (below.end === 'drop') maybe ??= below.text;
          certain = false;
        } else if (below.end !== 'none' || action.kind === 'goto') return { ...below, certain, maybe };
      }
    }
    return { end: 'none', certain, text: '', maybe };
  }
}

interface Run {
  readonly end: 'accept' | 'drop' | 'none';
  /** False: a rule before may have let it pass. */
  readonly certain: boolean;
  readonly text: string;
  /** A rule that may drop it. */
  readonly maybe: string | undefined;
}

function keyOf({ family, table }: { readonly family: string; readonly table: string }, chain: string): string {
  return `${family} ${table} ${chain}`;
}

function nameOf({ family, table, name }: Chain): string {
  return `chain ${name} of table ${family} ${table}`;
}

function actionOf({ expr }: Rule): { readonly kind: string; readonly target?: string } {
  for (const item of expr) {
    for (const kind of ['accept', 'drop', 'reject', 'return']) if (kind in item) return { kind };
    for (const kind of ['jump', 'goto']) {
      if (kind in item) return { kind, target: (item[kind] as { target: string }).target };
    }
  }
  return { kind: 'continue' };
}

/** Undefined: not known. */
function judgeRule({ expr }: Rule, packet: FirewallPacket): boolean | undefined {
  let known = true;
  for (const item of expr) {
    const match = item.match as { op: string; left: Json; right: unknown } | undefined;
    if (match === undefined) {
      // A verdict by a map, or what iptables calls a match: `limit`, `vmap`, `xt`.
      if ('xt' in item || 'limit' in item || 'vmap' in item) known = false;
      continue;
    }
    const holds = judgeMatch(match, packet);
    if (holds === false) return false;
    if (holds === undefined) known = false;
  }
  return known ? true : undefined;
}

function judgeMatch(match: { op: string; left: Json; right: unknown }, packet: FirewallPacket): boolean | undefined {
  if (match.op !== '==' && match.op !== '!=') return undefined;
  const equal = judgeValue(match.left, match.right, packet);
  if (equal === undefined) return undefined;
  return match.op === '==' ? equal : !equal;
}

function judgeValue(left: Json, right: unknown, packet: FirewallPacket): boolean | undefined {
  const set = (right as { set?: unknown } | null)?.set;
  if (Array.isArray(set)) {
    const each = set.map((value: unknown) => judgeValue(left, value, packet));
    if (each.includes(true)) return true;
    return each.includes(undefined) ? undefined : false;
  }
  const meta = (left.meta as { key?: string } | undefined)?.key;
  if (meta === 'iifname' || meta === 'iif') return judgeName(packet.iif, right);
  if (meta === 'oifname' || meta === 'oif') return judgeName(packet.oif, right);
  if (meta === 'l4proto') return right === packet.protocol;
  const payload = left.payload as { protocol?: string; field?: string } | undefined;
  if (payload?.protocol === 'ip' && payload.field === 'protocol') return right === packet.protocol;
  if (payload?.protocol === 'ip' && payload.field === 'saddr') return judgeAddress(packet.source, right);
  if (payload?.protocol === 'ip' && payload.field === 'daddr') return judgeAddress(packet.destination, right);
  if ((payload?.protocol === 'tcp' || payload?.protocol === 'udp') && payload.field === 'dport')
    return payload.protocol !== packet.protocol ? false : judgePort(packet.destinationPort, right);
  return undefined;
}

function judgeName(device: string | undefined, right: unknown): boolean | undefined {
  if (typeof right !== 'string') return undefined;
  if (device === undefined) return right === '';
  return right.endsWith('*') ? device.startsWith(right.slice(0, -1)) : device === right;
}

function judgeAddress(address: Ipv4, right: unknown): boolean | undefined {
  if (typeof right === 'string') {
    const value = parseIpv4(right);
    return value === undefined ? undefined : value === address;
  }
  const prefix = (right as { prefix?: { addr?: string; len?: number } } | null)?.prefix;
  const value = parseIpv4(prefix?.addr ?? '');
  if (value === undefined || prefix?.len === undefined) return undefined;
  return prefixContains(ipv4Prefix(value, prefix.len), ipv4Prefix(address, 32));
}

function judgePort(port: number | undefined, right: unknown): boolean | undefined {
  if (typeof right === 'number') return port === right;
  const range = (right as { range?: readonly number[] } | null)?.range;
  if (port === undefined || range?.[0] === undefined || range[1] === undefined) return undefined;
  return port >= range[0] && port <= range[1];
}
