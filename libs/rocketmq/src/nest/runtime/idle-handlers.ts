// Reports methods that look like handlers and receive nothing: those that override a handler, and those of a microservice that is not
// connected or not started.

import { type Clock, type ScheduledTask, SECOND_MS, SystemClock } from '../../support/clock.js';
import type { Logger } from '../../support/logger.js';
import { methodLabel } from '../common/handler-host.js';
import type { PlannedConsumer } from '../listening/listener-plan.js';
import type { Discovered, Override } from '../listening/rocketmq.explorer.js';

/** Applications may start their microservices after `listen()` as well, so that nothing is certain before. */
const STARTED_WITHIN_MS = 30 * SECOND_MS;

/** Logs each of them once. */
export class IdleHandlers {
  private unstarted: ScheduledTask | undefined;

  constructor(
    private readonly logger: Logger,
    private readonly clock: Clock = new SystemClock(),
  ) {}

  overriding(methods: readonly Override[]): void {
    for (const method of methods) {
      this.logger.warn(
        `${methodLabel(method)} overrides a method with ${method.decorator} but has no decorator itself, so it receives nothing; ` +
          'decorate it, or remove the decorator from its parent class',
      );
    }
  }

  /** @param methods of one connection */
  unconnected(methods: Discovered['unconnected']): void {
    const [first] = methods;
    if (first === undefined) return;
    const { connection } = first;
    const server = connection === undefined ? 'ServerRocketMQ' : `getRocketMQServerToken('${connection}')`;
    const names = methods.map((method) => `${methodLabel(method)} (${method.decorator})`).join(', ');
    this.logger.warn(
      `${names}: no microservice of RocketMQ is connected to this application, so these handlers receive nothing, and requests to them time out; ` +
        `call app.connectMicroservice({ strategy: app.get(${server}) }) before app.init() or app.listen(), and app.startAllMicroservices(). An ` +
        'application of NestFactory.createApplicationContext() cannot connect one. Where they should not run, set enabled: false in their options',
    );
  }

  /** Consumers whose handlers wait for the transport strategy, until {@link stop}. */
  waiting(consumers: readonly PlannedConsumer[]): void {
    for (const { consumerGroup, listeners } of consumers) {
      const text = `the consumer of group "${consumerGroup}" does not receive until the transport strategy listens (call startAllMicroservices())`;
      this.logger.info(text, { listeners: listeners.map(({ name }) => name) });
    }
    if (consumers.length === 0) return;
    const names = consumers.flatMap(({ listeners }) => listeners.map(({ name }) => name)).join(', ');
    this.unstarted = this.clock.schedule(STARTED_WITHIN_MS, () => {
      this.logger.warn(
        `${names}: ${STARTED_WITHIN_MS / SECOND_MS} s after the start of this application, its microservice of RocketMQ is connected but not started, ` +
          'so these handlers receive nothing, and requests to them time out; call app.startAllMicroservices()',
      );
    });
  }

  /** Their microservice is started, or the application shuts down. */
  stop(): void {
    this.unstarted?.cancel();
  }
}
