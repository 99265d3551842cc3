import test from 'ava';
import { Firewall, type FirewallPacket } from '../../../lib/observe/trace/firewall.ts';

const PACKET: FirewallPacket = {
  hook: 'forward',
  iif: 'cni0',
  oif: 'flannel0',
  source: 0x0af40102,
  destination: 0x0af40202,
  protocol: 'tcp',
  destinationPort: 80,
};

const chain = (name: string, more: object = {}): object => ({
  chain: { family: 'ip', table: 'filter', name, ...more },
});
const base = (policy: string): object => chain('FORWARD', { type: 'filter', hook: 'forward', prio: 0, policy });
const rule = (name: string, ...expr: object[]): object => ({
  rule: { family: 'ip', table: 'filter', chain: name, handle: 7, expr },
});
const match = (left: object, right: unknown, op = '=='): object => ({ match: { op, left, right } });
const IIF = { meta: { key: 'iifname' } };
const PORT = { payload: { protocol: 'tcp', field: 'dport' } };
const SOURCE = { payload: { protocol: 'ip', field: 'saddr' } };
const STATE = { ct: { key: 'state' } };
const DROP = { drop: null };
const ACCEPT = { accept: null };

function judge(...items: object[]): string {
  const { verdict, text } = Firewall.parse(JSON.stringify({ nftables: items }))!.judge(PACKET);
  return text === '' ? verdict : `${verdict}: ${text}`;
}

const POLICY = 'chain FORWARD of table ip filter: policy drop';
const RULE = 'chain FORWARD of table ip filter: rule 7, drop';

test('a policy, and what comes before it', (t) => {
  t.is(judge(base('accept')), 'accept');
  t.is(judge(base('drop')), `drop: ${POLICY}`);
  t.is(judge(base('drop'), rule('FORWARD', match(IIF, 'cni0'), ACCEPT)), 'accept');
  t.is(judge(base('drop'), rule('FORWARD', match(IIF, 'eth0'), ACCEPT)), `drop: ${POLICY}`);
  t.is(judge(base('drop'), rule('FORWARD', match(STATE, 'established', 'in'), ACCEPT)), `may-drop: ${POLICY}`);
});

test('a rule that drops: by interface, address, port, or perhaps', (t) => {
  t.is(judge(base('accept'), rule('FORWARD', match(IIF, 'cni*'), DROP)), `drop: ${RULE}`);
  t.is(judge(base('accept'), rule('FORWARD', match(PORT, 81), DROP)), 'accept');
  t.is(judge(base('accept'), rule('FORWARD', match(PORT, { set: [79, { range: [80, 90] }] }), DROP)), `drop: ${RULE}`);
  const subnet = { prefix: { addr: '10.244.1.0', len: 24 } };
  t.is(judge(base('accept'), rule('FORWARD', match(SOURCE, subnet), DROP)), `drop: ${RULE}`);
  t.is(judge(base('accept'), rule('FORWARD', match(SOURCE, subnet, '!='), DROP)), 'accept');
  t.is(judge(base('accept'), rule('FORWARD', match(STATE, 'invalid', 'in'), DROP)), `may-drop: ${RULE}`);
  t.is(judge(base('accept'), rule('FORWARD', { xt: { type: 'match', name: 'comment' } }, DROP)), `may-drop: ${RULE}`);
});

test('jumps, and chains of other hooks', (t) => {
  const jump = rule('FORWARD', { jump: { target: 'DOCKER' } });
  t.is(
    judge(base('accept'), chain('DOCKER'), jump, rule('DOCKER', DROP)),
    'drop: chain DOCKER of table ip filter: rule 7, drop',
  );
  t.is(judge(base('drop'), chain('DOCKER'), jump, rule('DOCKER', ACCEPT)), 'accept');
  t.is(judge(base('drop'), chain('DOCKER'), jump, rule('DOCKER', { return: null })), `drop: ${POLICY}`);
  t.is(judge(chain('INPUT', { hook: 'input', prio: 0, policy: 'drop' })), 'accept');
});

test('what is no ruleset is none', (t) => {
  t.is(Firewall.parse('no'), undefined);
  t.is(Firewall.parse('{}'), undefined);
});
