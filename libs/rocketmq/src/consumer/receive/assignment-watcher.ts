// Queries the queues that this consumer shall receive from, at startup and every few seconds after that.

import { toWireEndpoints } from '../../client/endpoint.js';
import { topicNotFound } from '../../client/resource-errors.js';
import { type Queue, queuesFromWire, resource } from '../../client/route.js';
import { Code } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { requireOk, StatusError } from '../../protocol/grpc/status.js';
import { AbortSource } from '../../support/abort-source.js';
import { SECOND_MS, sleep } from '../../support/clock.js';
import { type Deadline, withNotedEffects } from '../../support/deadline.js';
import { StateError } from '../../support/errors.js';
import { describeError } from '../../support/logger.js';
import { retryUntil } from '../../support/retry.js';
import type { ConsumerContext } from '../model/consumer-context.js';

/** Which topics are watched, and who is notified. */
interface Assignments {
  /** The current topics; called each time. */
  topics(): readonly string[];
  /** Called with all queues of a topic, after every query. */
  onAssigned(topic: string, queues: readonly Queue[]): void;
}

const REFRESH_MS = 5 * SECOND_MS;
const RETRY = { kind: 'exponential', initialMs: 100, maxMs: 2_000, multiplier: 2 } as const;

/** Keeps a consumer's assignments up to date, in real time, until {@link AssignmentWatcher.stop}. */
export class AssignmentWatcher {
  private readonly stopping = new AbortSource();
  private running: Promise<void> | undefined;

  constructor(
    private readonly context: Pick<ConsumerContext, 'client' | 'consumerGroup' | 'ioClock'>,
    private readonly assignments: Assignments,
  ) {}

  /** Resolves when the assignments of every topic are known. @throws ResourceError when a topic does not exist */
  async start(deadline: Deadline): Promise<void> {
    await Promise.all(this.assignments.topics().map((topic) => this.add(topic, deadline)));
    this.running = this.run();
  }

  /** Resolves when the assignments of an added topic are known. @throws ResourceError when it does not exist */
  async add(topic: string, deadline: Deadline): Promise<void> {
    const { client, ioClock } = this.context;
    const pace = { clock: ioClock, random: client.connection.random, policy: RETRY };
    await retryUntil(deadline, pace, () => this.ask(topic, deadline));
  }

  async stop(): Promise<void> {
    this.stopping.abort(new StateError('CLOSED', 'the consumer receives no more'));
    await this.running;
  }

  private async run(): Promise<void> {
    const signal = this.stopping;
    const { ioClock, consumerGroup, client } = this.context;
    const { logger, requestTimeoutMs } = client.connection;
    while (!signal.aborted) {
      await sleep(ioClock, REFRESH_MS, signal).catch(() => {});
      for (const topic of this.assignments.topics()) {
        if (signal.aborted) return;
        // The last known assignments stay in force while the server does not answer.
        await withNotedEffects('assignments', requestTimeoutMs, signal, (deadline) => this.ask(topic, deadline)).catch(
          (error) => {
            const fields = { consumerGroup, topic, error: describeError(error) };
            logger.debug('the assignments could not be queried', fields);
          },
        );
      }
    }
  }

  private async ask(topic: string, deadline: Deadline): Promise<void> {
    const { client, consumerGroup } = this.context;
    const { namespace, bootstrap, addressRules, command } = client.connection;
    const what = `assignments of "${consumerGroup}" on topic "${topic}"`;
    const request = {
      topic: resource(namespace, topic),
      group: resource(namespace, consumerGroup),
      endpoints: toWireEndpoints(bootstrap),
    };
    const options = { what, timeoutMs: client.attemptTimeoutMs(deadline), signal: deadline.signal };
    const { status, assignments: assigned } = await client.unary(bootstrap, 'queryAssignment', request, options);
    if (status?.code === Code.TOPIC_NOT_FOUND)
      throw topicNotFound(command, topic, undefined, true, new StatusError(what, status));
    requireOk(what, status);
    const wires = assigned.flatMap(({ messageQueue }) => messageQueue ?? []);
    const queues = queuesFromWire(topic, wires, addressRules);
    if (!this.stopping.aborted) this.assignments.onAssigned(topic, queues);
  }
}
