// Divides the room for held messages: listeners of different topics have a part each, so that one that falls behind does not
// stop the polls of the others.

import type { Listener, ListenerSet } from '../listeners/message-listener.js';
import { BufferRoom } from './buffer-room.js';

/** The room to divide. */
interface RoomOptions {
  readonly maxBufferedMessages: number;
  readonly maxBufferedBytes: number;
  readonly listeners: ListenerSet;
}

/** The rooms of a consumer. */
export class BufferRooms {
  private readonly byTopic = new Map<string, BufferRoom>();
  /** For a consumer with one handler for all topics. */
  private readonly common: BufferRoom;
  private readonly atOnce: number;

  constructor(private readonly options: RoomOptions) {
    const { listeners, maxBufferedMessages, maxBufferedBytes } = options;
    this.atOnce = listeners.all.reduce((sum, { permits }) => sum + permits, 0);
    this.common = new BufferRoom(maxBufferedMessages, maxBufferedBytes);
    for (const { topic } of listeners.all) {
      if (topic === undefined || this.byTopic.has(topic)) continue;
      const own = listeners.all.filter((listener) => listener.topic === topic);
      const messages = own.reduce((sum, listener) => sum + this.shareOf(listener), 0);
      const bytes = (maxBufferedBytes * messages) / Math.max(messages, maxBufferedMessages);
      this.byTopic.set(topic, new BufferRoom(messages, bytes));
    }
  }

  of(topic: string): BufferRoom {
    return this.byTopic.get(topic) ?? this.common;
  }

  /** How many messages are for one listener: by its concurrency, at least one. */
  shareOf({ permits }: Listener): number {
    return Math.max(1, Math.floor((this.options.maxBufferedMessages * permits) / this.atOnce));
  }
}
