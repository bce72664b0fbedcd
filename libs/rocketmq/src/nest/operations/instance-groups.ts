// Consumer groups that live as long as one instance of the application: made at its start, behind all that is stored, and deleted
// at its end. Who needs one is in listener-plan.ts (`mode: 'broadcast'`) and reply-channel.ts.

import { RocketMQError } from '../../support/errors.js';
import type { Logger } from '../../support/logger.js';
import { describeError } from '../../support/logger.js';
import type { PlannedConsumer } from '../listening/listener-plan.js';
import type { Admin } from './admin-access.js';

/** A group to make. */
export interface InstanceGroup {
  /** As it is called on the cluster. */
  readonly consumerGroup: string;
  readonly fifo: boolean;
  /** What it subscribes to. */
  readonly topics: readonly string[];
}

interface InstanceGroupOptions {
  readonly logger: Logger;
}

/** Whatever needs a group of this instance, to be named when there is no way to make one. */
export function whoNeedsGroups(
  consumers: readonly PlannedConsumer[],
  { requests }: { readonly requests?: object },
): string[] {
  const listeners = consumers.filter(({ ofInstance }) => ofInstance).flatMap((consumer) => consumer.listeners);
  const broadcasts = listeners.map(({ name }) => `listener ${name} (mode: 'broadcast')`);
  return requests === undefined ? broadcasts : [...broadcasts, 'option requests'];
}

/** Makes groups of this instance and deletes them. */
export class InstanceGroups {
  private readonly made = new Set<string>();

  constructor(
    private readonly admin: Admin,
    private readonly options: InstanceGroupOptions,
  ) {}

  /** Makes the topic unless it is there. @throws what the admin connection throws */
  async ensureTopic(topic: string, signal: AbortSignal | undefined): Promise<void> {
    if ((await this.admin.describeTopic(topic, { signal })) !== undefined) return;
    // Another instance may have been quicker.
    await this.admin.createTopic({ topic, type: 'normal' }, { signal, keepExisting: true });
  }

  /**
   * Makes a group that gets what is sent from now on. A topic that does not exist is left to the consumer, which names it.
   * @throws what the admin connection throws; the group is deleted by {@link remove} all the same
   */
  async make({ consumerGroup, fifo, topics }: InstanceGroup, signal: AbortSignal | undefined): Promise<void> {
    this.made.add(consumerGroup);
    await this.admin.createGroup({ consumerGroup, fifo }, { signal });
    for (const topic of topics) {
      try {
        await this.admin.rewindGroup({ consumerGroup, topic, to: { kind: 'end' } }, { signal });
      } catch (error) {
        if (!(RocketMQError.is(error) && error.code === 'UNKNOWN_TOPIC')) throw error;
      }
    }
  }

  /** Deletes a group that was made here, with its dead letters. Never fails: one that stays is named in the log. */
  async remove(consumerGroup: string): Promise<void> {
    if (!this.made.delete(consumerGroup)) return;
    try {
      await this.admin.deleteGroup(consumerGroup, { withDeadLetters: true });
    } catch (error) {
      this.options.logger.warn('a consumer group of this instance could not be deleted; delete it', {
        consumerGroup,
        error: describeError(error),
      });
    }
  }

  /** Deletes all that is left. */
  async removeAll(): Promise<void> {
    await Promise.all([...this.made].map((consumerGroup) => this.remove(consumerGroup)));
  }
}
