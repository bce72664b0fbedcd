// Which brokers cancel delayed messages: a setting that they only show by what they answer.

import type { RecallableMessage, RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { CachedAnswer } from './cached-answer.js';

/** Brokers change it by a restart, or by an update of their configuration. */
const KEPT_MS = 60_000;
const ASKED_MS = 3_000;
/** The server's words. @see RecallMessageProcessor of the server, which looks at `recallMessageEnable` first */
const IS_OFF = /recall failed, operation is forbidden|request type 370 not supported/i;

export class RecallWatch {
  private readonly brokers = new Map<string, CachedAnswer<boolean>>();

  constructor(
    private readonly admin: Pick<RocketMQAdmin, 'recallDelayed'>,
    private readonly monotonicMs: () => number,
    private readonly signal: AbortSignal,
  ) {}

  /** The brokers of these messages that cancel none; not those that do not answer. */
  async offAt(messages: readonly Pick<RecallableMessage, 'broker' | 'originTopic'>[]): Promise<readonly string[]> {
    const topics = new Map(messages.map(({ broker, originTopic }) => [broker, originTopic]));
    const asked = [...topics].map(async ([broker, topic]) => ((await this.isOff(broker, topic)) ? [broker] : []));
    return (await Promise.all(asked)).flat();
  }

  private isOff(broker: string, topic: string): Promise<boolean> {
    let known = this.brokers.get(broker);
    if (known === undefined) {
      known = new CachedAnswer(() => this.ask(broker, topic), KEPT_MS, this.monotonicMs);
      this.brokers.set(broker, known);
    }
    return known.read();
  }

  /** Asks to cancel a message that was due in 1970, which nothing can cancel. */
  private async ask(broker: string, originTopic: string): Promise<boolean> {
    const handle = `v1 ${originTopic} ${broker} 1 0100000000000000000000000000000000`;
    const recallHandle = Buffer.from(handle).toString('base64url');
    try {
      await this.admin.recallDelayed(
        { broker, originTopic, recallHandle },
        { signal: this.signal, timeoutMs: ASKED_MS },
      );
      return false;
    } catch (error) {
      return IS_OFF.test((error as Error).message);
    }
  }
}
