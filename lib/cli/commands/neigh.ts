import { Command } from 'commander';
import type { NeighReply } from '../../control/protocol.ts';
import { formatAge } from '../../units.ts';
import { addQueryOptions, printReply, type QueryOptions } from '../query.ts';
import { type Column, formatTable } from '../table.ts';

export function neighCommand(): Command {
  return addQueryOptions(new Command('neigh'))
    .description('List the neighbours of a vxlan network: addresses that ARP and neighbour discovery get from here')
    .action(async (options: QueryOptions) => {
      await printReply('/v1/neigh', options, formatNeigh);
    });
}

const COLUMNS: readonly Column[] = [
  { title: 'Address' },
  { title: 'MAC' },
  { title: 'VTEP' },
  { title: 'Origin' },
  { title: 'Age', align: 'right' },
];

function formatNeigh({ neighbors }: NeighReply): string {
  if (neighbors.length === 0) return 'No entries: no other node has a lease, or the backend is not vxlan.\n';
  const rows = neighbors.map((entry) => [
    entry.address,
    entry.mac,
    entry.vtep,
    entry.origin,
    formatAge(entry.ageSeconds),
  ]);
  return formatTable(COLUMNS, rows);
}
