import { execFileSync } from 'node:child_process';

/** An external interface for one daemon: und0 (192.0.2.1/24, 2001:db8::1/64) of a veth pair, once in each namespace. */
export function makeUnderlay(): void {
  if (execFileSync('ip', ['-br', 'link'], { encoding: 'utf8' }).includes('und0')) return;
  for (const command of [
    'link add und0 type veth peer name und1',
    'link set und1 up',
    'link set und0 up',
    'addr add 192.0.2.1/24 dev und0',
    'addr add 2001:db8::1/64 dev und0 nodad',
  ])
    execFileSync('ip', command.split(' '));
}
