// The name server port of the simulated broker. The broker loads its own by `import()`, which Node resolves in another thread, at a time
// that a seed cannot determine.

import { AdminRequests } from '../../libs/rocketmq/src/broker/admin/admin-requests.js';
import type { EmbeddedBroker } from '../../libs/rocketmq/src/broker/embedded-broker.js';
import { RELEASE } from '../../libs/rocketmq/src/broker/engine/server-names.js';
import { RemotingServer } from '../../libs/rocketmq/src/broker/remoting/remoting-server.js';
import { SAME_TIME } from '../../libs/rocketmq/src/broker/time/client-time.js';
import { SystemClock } from '../../libs/rocketmq/src/support/clock.js';
import { silentLogger } from '../../libs/rocketmq/src/support/logger.js';

/** Creates the port; it does not listen yet. */
export function brokerPortOf(broker: EmbeddedBroker, address: string): RemotingServer {
  const { store, sessions } = broker.inside;
  const { engine, clock } = broker as unknown as Pick<
    ConstructorParameters<typeof AdminRequests>[0],
    'engine' | 'clock'
  >;
  const release = () => RELEASE.number;
  const context = { engine, store, clock, clientTime: SAME_TIME, sessions, address: () => address, release };
  const requests = new AdminRequests(context);
  const answer = (request: Parameters<AdminRequests['answer']>[0]) => requests.answer(request);
  const realClock = new SystemClock();
  return new RemotingServer({
    answer,
    clock: realClock,
    logger: silentLogger,
    tls: undefined,
    release,
  });
}
