// A steady load of sends, and the record of what each came to.

import type { Producer, SendReceipt } from 'nestjs-rocketmq/client';

const TICK_MS = 10;
/** More than a producer lets under way; what else would have to wait is not sent. */
const MOST_UNDER_WAY = 2_000;

/** What became of the sends of one load. */
export interface LoadRecord {
  /** Bodies of messages that the server has accepted. */
  readonly accepted: Set<string>;
  /** Why sends failed. */
  readonly failures: unknown[];
}

/** Sends numbered messages at a steady rate until it is stopped. A send that fails is noted; the load goes on. */
export class Load {
  readonly record: LoadRecord = { accepted: new Set(), failures: [] };
  private readonly sends = new Set<Promise<void>>();
  private readonly timer: NodeJS.Timeout;
  private count = 0;

  constructor(
    private readonly producer: Pick<Producer, 'send'>,
    private readonly topic: string,
    messagesPerSecond: number,
  ) {
    const startedAtMs = performance.now();
    this.timer = setInterval(() => {
      // By elapsed time: a late tick makes up for what it missed.
      const due = ((performance.now() - startedAtMs) * messagesPerSecond) / 1_000;
      for (; this.count < due; this.count++) if (this.sends.size < MOST_UNDER_WAY) this.send(`${this.count}`);
    }, TICK_MS);
  }

  /** Sends nothing more; resolves when every send has ended. */
  async stop(): Promise<LoadRecord> {
    clearInterval(this.timer);
    await Promise.all(this.sends);
    return this.record;
  }

  private send(body: string): void {
    const { accepted, failures } = this.record;
    const sent: Promise<SendReceipt> = this.producer.send({ topic: this.topic, body });
    const ended = sent.then(
      () => {
        accepted.add(body);
      },
      (error) => {
        failures.push(error);
      },
    );
    this.sends.add(ended);
    void ended.then(() => this.sends.delete(ended));
  }
}
