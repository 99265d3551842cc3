import { WeftError } from '../error.ts';
import { execInNetns } from '../lab/netns.ts';

/** The text of /proc/net/snmp in a network namespace: the counters of its IPv4. */
export async function readSnmp(netns: string): Promise<string> {
  return (await execInNetns(netns, ['cat', '/proc/net/snmp'])).stdout;
}

/** A counter of the line "Ip:" of a network namespace's /proc/net/snmp, from its text: "FragCreates", "ForwDatagrams". */
export function ipCounter(procNetSnmp: string, name: string): number {
  const lines = procNetSnmp.split('\n').filter((line) => line.startsWith('Ip: '));
  const index = lines[0]?.split(' ').indexOf(name) ?? -1;
  const value = Number(lines[1]?.split(' ')[index]);
  if (index < 0 || !Number.isFinite(value)) throw new WeftError('PROC_FORMAT', `/proc/net/snmp has no Ip ${name}`);
  return value;
}
