// Sends at a steady rate and records the results.

import type { Producer, SendReceipt } from 'nestjs-rocketmq/client';

const TICK_MS = 10;
/** More sends than a producer allows in flight; sends beyond that are skipped. */
const MAX_UNDER_WAY = 2_000;

/** The results of one load. */
export interface LoadRecord {
  /** Bodies of messages that the server has accepted. */
  readonly accepted: Set<string>;
  /** Why sends failed. */
  readonly failures: unknown[];
}

/** Sends numbered messages at a steady rate until it is stopped. A failed send is recorded, and the load continues. */
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
      // Computed from the elapsed time, so that a late tick catches up.
      const due = ((performance.now() - startedAtMs) * messagesPerSecond) / 1_000;
      for (; this.count < due; this.count++) if (this.sends.size < MAX_UNDER_WAY) this.send(`${this.count}`);
    }, TICK_MS);
  }

  /** Stops sending; resolves when every send has ended. */
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
