import { Command } from 'commander';
import type { FdbReply } from '../../control/protocol.ts';
import { formatAge, formatCount } from '../../units.ts';
import { addQueryOptions, printReply, type QueryOptions } from '../query.ts';
import { type Column, formatTable } from '../table.ts';

export function fdbCommand(): Command {
  return addQueryOptions(new Command('fdb'))
    .description('List the FDB of a vxlan network: which MAC address is behind which VTEP')
    .addHelpText(
      'after',
      `
Origin lease: a VtepMAC, which nobody can take over. learned: from traffic, with "Learning": true in the network's
configuration. Moves: how often the address changed its VTEP; refused: less than a second after the last move.`,
    )
    .action(async (options: QueryOptions) => {
      await printReply('/v1/fdb', options, formatFdb);
    });
}

const COLUMNS: readonly Column[] = [
  { title: 'MAC' },
  { title: 'VTEP' },
  { title: 'Origin' },
  { title: 'Age', align: 'right' },
  { title: 'Moves', align: 'right' },
  { title: 'Refused', align: 'right' },
];

function formatFdb({ fdb }: FdbReply): string {
  if (fdb.length === 0) return 'No entries: no other node has a lease, or the backend is not vxlan.\n';
  const rows = fdb.map((entry) => [
    entry.mac,
    entry.vtep,
    entry.origin,
    formatAge(entry.ageSeconds),
    formatCount(entry.moves),
    formatCount(entry.refusedMoves),
  ]);
  return formatTable(COLUMNS, rows);
}
