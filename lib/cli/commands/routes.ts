import { Command } from 'commander';
import type { RoutesReply } from '../../control/protocol.ts';
import { addQueryOptions, printReply, type QueryOptions } from '../query.ts';
import { formatTable } from '../table.ts';

export function routesCommand(): Command {
  return addQueryOptions(new Command('routes'))
    .description('List the overlay routes in use: which prefix goes to which node')
    .action(async (options: QueryOptions) => {
      await printReply('/v1/routes', options, formatRoutes);
    });
}

function formatRoutes({ routes }: RoutesReply): string {
  if (routes.length === 0) return 'No routes: no other node has a lease.\n';
  const columns = [{ title: 'Prefix' }, { title: 'Via' }, { title: 'Device' }];
  return formatTable(
    columns,
    routes.map((route) => [route.prefix, route.via, route.device]),
  );
}
