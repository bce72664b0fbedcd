// The library's own client of a connection, for what the Nest layer does not cover: simple consumers, producers of one's own.

import type { Connection } from '../../client/connection.js';
import { StateError } from '../../support/errors.js';

/** The client of one connection of the module. */
export class RocketMQClient {
  /** @internal provided by the module */
  constructor(private readonly running: () => Connection | undefined) {}

  /**
   * The connection, for `Producer`, `PushConsumer` and `SimpleConsumer` of `nestjs-rocketmq/client`. Whoever makes one closes it,
   * in `onModuleDestroy` at the latest; the module closes the connection.
   * @throws StateError `NOT_RUNNING` before the application's start and after its end
   */
  get connection(): Connection {
    const connection = this.running();
    if (connection !== undefined) return connection;
    const text =
      'the connection is not open; it opens with the application (app.init() or app.listen()), before the first onModuleInit, ' +
      'and closes with it';
    throw new StateError('NOT_RUNNING', text);
  }
}
