// The library's own client of a connection, for what the Nest layer does not cover, such as simple consumers.

import type { Connection } from '../../client/connection.js';
import { StateError } from '../../support/errors.js';
import type { EmbeddedControl } from '../runtime/embedded.js';

/** What of the connection runs. */
interface RunningConnection {
  readonly connection: Connection | undefined;
  readonly embeddedControl: EmbeddedControl | undefined;
}

/** The client of one connection of the module. */
export class RocketMQClient {
  /** @internal provided by the module */
  constructor(
    /** Whether the broker is inside this application (`endpoints: 'embedded:'`). */
    readonly target: 'cluster' | 'embedded',
    private readonly running: RunningConnection,
  ) {}

  /**
   * The connection, for `Producer`, `PushConsumer` and `SimpleConsumer` of `nestjs-rocketmq/client`. Close the ones that you create,
   * in `onModuleDestroy` at the latest; the module closes the connection.
   * @throws StateError `NOT_RUNNING` before the application starts and after it has shut down
   */
  get connection(): Connection {
    const { connection } = this.running;
    if (connection !== undefined) return connection;
    const text =
      'the connection is not open; it opens when the application starts (app.init() or app.listen()), before the first ' +
      'onModuleInit, and closes when the application shuts down';
    throw new StateError('NOT_RUNNING', text);
  }

  /**
   * Inspects and manipulates the broker inside this application: what is in flight, "deliver now", faults. Undefined with a cluster.
   * @throws StateError `NOT_RUNNING` before the application starts and after it has shut down
   */
  get control(): EmbeddedControl | undefined {
    if (this.target === 'cluster') return undefined;
    const { embeddedControl } = this.running;
    if (embeddedControl !== undefined) return embeddedControl;
    throw new StateError('NOT_RUNNING', 'the embedded broker is not running; it starts with the application');
  }
}
