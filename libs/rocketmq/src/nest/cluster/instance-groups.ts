// Consumer groups that live as long as one instance of the application: created at its startup with their position at the end of the
// topics by default, and deleted at its shutdown. reply-channel.ts and, with a proxy or `startFrom`, listener-plan.ts (`mode: 'broadcast'`) need them.

import type { Logger } from '../../support/logger.js';
import { describeError } from '../../support/logger.js';
import type { PlannedConsumer } from '../listening/listener-plan.js';
import type { StartFrom } from '../listening/listener-settings.js';
import type { InstanceGroup } from '../sending/reply-channel.js';
import type { Admin } from './admin-access.js';
import { moveToStart } from './group-starts.js';

interface InstanceGroupOptions {
  readonly logger: Logger;
}

/** Everything that needs a group of this instance, for the error when none can be created. */
export function whoNeedsGroups(
  consumers: readonly PlannedConsumer[],
  { requests }: { readonly requests?: object },
): string[] {
  const listeners = consumers.filter(({ ofInstance }) => ofInstance).flatMap((consumer) => consumer.listeners);
  const broadcasts = listeners.map(({ name }) => `listener ${name} (mode: 'broadcast')`);
  return requests === undefined ? broadcasts : [...broadcasts, 'option requests'];
}

/** Creates groups of this instance and deletes them. */
export class InstanceGroups {
  private readonly made = new Set<string>();

  constructor(
    private readonly admin: Admin,
    private readonly options: InstanceGroupOptions,
  ) {}

  /** Creates the topic unless it exists. @throws what the admin connection throws */
  async ensureTopic(topic: string, signal: AbortSignal | undefined): Promise<void> {
    if ((await this.admin.describeTopic(topic, { signal })) !== undefined) return;
    // Another instance may have created it in the meantime.
    await this.admin.createTopic({ topic, type: 'normal' }, { signal, ifExists: 'keep' });
  }

  /**
   * Creates a group that receives what is sent from now on, unless it is to start elsewhere. A missing topic is left to the consumer, whose error names it.
   * @throws what the admin connection throws; {@link remove} deletes the group nevertheless
   */
  async make(
    { consumerGroup, fifo, topics, starts }: InstanceGroup & { readonly starts?: ReadonlyMap<string, StartFrom> },
    signal: AbortSignal | undefined,
  ): Promise<void> {
    this.made.add(consumerGroup);
    await this.admin.createGroup({ consumerGroup, fifo }, { signal, ifExists: 'update' });
    for (const topic of topics)
      await moveToStart(this.admin, { consumerGroup, topic, from: starts?.get(topic) ?? 'end' }, signal);
  }

  /** Deletes a group that was created here, with its dead letters. Never fails: a group that remains is logged. */
  async remove(consumerGroup: string): Promise<void> {
    if (!this.made.delete(consumerGroup)) return;
    try {
      await this.admin.deleteGroup(consumerGroup, { withDeadLetters: true });
    } catch (error) {
      this.options.logger.warn('a consumer group of this instance could not be deleted; delete it yourself', {
        consumerGroup,
        error: describeError(error),
      });
    }
  }

  /** Deletes all remaining groups. */
  async removeAll(): Promise<void> {
    await Promise.all([...this.made].map((consumerGroup) => this.remove(consumerGroup)));
  }
}
