import { execFileSync } from 'node:child_process';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import { findPod } from '../../lib/observe/trace/find-pod.ts';
import { testInFreshNamespace } from './enter.ts';

// The host is this process's own namespace; the names of the others carry its pid.
const test = testInFreshNamespace();

const ADDRESS = '198.51.100.77';
const nameOf = (what: string): string => `weft-find-${what}-${process.pid}`;

const ip = (...args: string[]): string => execFileSync('ip', args, { encoding: 'utf8' });

test('of several pods with one address on a machine the one that hangs on the host is found', (t) => {
  const [before, pod, after] = ['a', 'b', 'c'].map(nameOf) as [string, string, string];
  for (const name of [before, pod, after]) {
    ip('netns', 'add', name);
    t.teardown(() => void ip('netns', 'del', name));
  }
  for (const name of [before, after]) {
    ip('-n', name, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth1');
    ip('-n', name, 'addr', 'add', `${ADDRESS}/24`, 'dev', 'eth0');
  }
  ip('link', 'add', 'pod0', 'type', 'veth', 'peer', 'name', 'eth7', 'netns', pod);
  ip('-n', pod, 'addr', 'add', `${ADDRESS}/24`, 'dev', 'eth7');
  t.like(findPod(parseIpv4(ADDRESS)!, undefined), { netns: `/run/netns/${pod}`, device: 'eth7' });
  // Every lab numbers its devices alike: theirs hang on a host of their own.
  const [theirs, otherHost] = [nameOf('0'), nameOf('host')] as const;
  for (const name of [theirs, otherHost]) {
    ip('netns', 'add', name);
    t.teardown(() => void ip('netns', 'del', name));
  }
  const { index, hostIndex } = findPod(parseIpv4(ADDRESS)!, undefined);
  const end = ['index', `${index}`, 'netns', theirs];
  ip('-n', otherHost, 'link', 'add', 'pod0', 'index', `${hostIndex}`, 'type', 'veth', 'peer', 'name', 'eth7', ...end);
  ip('-n', theirs, 'addr', 'add', `${ADDRESS}/24`, 'dev', 'eth7');
  t.like(findPod(parseIpv4(ADDRESS)!, undefined), { netns: `/run/netns/${pod}`, index, hostIndex });
  // Without a veth, as with other plugins of CNI, any that has the address.
  ip('link', 'del', 'pod0');
  t.regex(findPod(parseIpv4(ADDRESS)!, undefined).device, /^eth[07]$/);
});
