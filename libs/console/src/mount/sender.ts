// Sends what a viewer writes: by a producer of its own, which starts with the first message, and by the names of the cluster.

import { type Connection, Producer } from 'nestjs-rocketmq/client';
import type { ConsoleSource } from '../source.js';

const SEND_MS = 10_000;

export class ConsoleSender {
  private producer: Producer | undefined;
  private isClosed = false;

  /** @param connection @throws while there is none */
  constructor(private readonly connection: () => Connection) {}

  readonly send: NonNullable<ConsoleSource['send']> = (message, { signal }) => {
    if (this.isClosed) throw new Error('the console is closed; nothing was sent');
    this.producer ??= new Producer(this.connection());
    return this.producer.send(message, { signal, timeoutMs: SEND_MS });
  };

  async close(): Promise<void> {
    this.isClosed = true;
    await this.producer?.close();
  }
}
