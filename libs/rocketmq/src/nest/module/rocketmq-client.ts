// The library's own client of a connection, for what the Nest layer does not cover, such as simple consumers.

import type { Connection } from '../../client/connection.js';
import { StateError } from '../../support/errors.js';

/** The client of one connection of the module. */
export class RocketMQClient {
  /** @internal provided by the module */
  constructor(private readonly running: () => Connection | undefined) {}

  /**
   * The connection, for `Producer`, `PushConsumer` and `SimpleConsumer` of `nestjs-rocketmq/client`. Close the ones that you create,
   * in `onModuleDestroy` at the latest; the module closes the connection.
   * @throws StateError `NOT_RUNNING` before the application starts and after it has shut down
   */
  get connection(): Connection {
    const connection = this.running();
    if (connection !== undefined) return connection;
    const text =
      'the connection is not open; it opens when the application starts (app.init() or app.listen()), before the first ' +
      'onModuleInit, and closes when the application shuts down';
    throw new StateError('NOT_RUNNING', text);
  }
}
