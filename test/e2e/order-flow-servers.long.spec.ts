// The order flow on each database server, in another time zone than that of the demos.

import { afterAll } from '@jest/globals';
import type { DatabaseServer } from '../../tools/servers/database-server.js';
import { describeOnServers } from './support/database-servers.js';
import { orderFlowCases } from './support/order-flow-cases.js';

describeOnServers('the demos', (kind) => {
  let server: DatabaseServer | undefined;
  orderFlowCases(async () => {
    server = await kind.start([kind.farFromUtc]);
    return { order: await server.createDatabase('orders'), inventory: await server.createDatabase('inventory') };
  });
  afterAll(() => server?.stop());
});
