import { readFileSync } from 'node:fs';

/** Number of a group: as it stands, or by its name in /etc/group. Undefined: there is none. */
export function groupNumber(group: string): number | undefined {
  if (/^\d{1,10}$/.test(group)) return Number(group);
  try {
    const lines = readFileSync('/etc/group', 'utf8').split('\n');
    const line = lines.map((text) => text.split(':')).find(([name]) => name === group);
    const number = Number(line?.[2]);
    return line === undefined || !Number.isInteger(number) ? undefined : number;
  } catch {
    return undefined;
  }
}
