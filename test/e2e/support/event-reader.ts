// A watcher of order-demo's live steps.

import type { TimelineEntry } from '../../../apps/order-demo/src/page/timeline.js';

export class EventReader {
  private text = '';
  private isOpen = true;
  private readonly reading: Promise<void>;

  private constructor(
    response: Response,
    private readonly closing: AbortController,
  ) {
    this.reading = this.read(response);
  }

  /** Resolves when the stream is ready. */
  static async open(orderUrl: string, lastEventId?: string): Promise<EventReader> {
    const closing = new AbortController();
    const headers = new Headers(lastEventId === undefined ? [] : [['last-event-id', lastEventId]]);
    const response = await fetch(`${orderUrl}/events`, { headers, signal: closing.signal });
    if (response.status !== 200) throw new Error(`/events answered ${response.status}`);
    const reader = new EventReader(response, closing);
    await reader.whenever(() => reader.text.includes('event: ready'));
    return reader;
  }

  get entries(): TimelineEntry[] {
    return [...this.text.matchAll(/^data: (\{"service".*\})$/gm)].map(([, json]) => JSON.parse(json ?? ''));
  }

  /** Waits for this many entries and returns all so far. */
  async until(isEnough: (entries: TimelineEntry[]) => boolean): Promise<TimelineEntry[]> {
    await this.whenever(() => isEnough(this.entries));
    return this.entries;
  }

  /** @returns the last event id, to continue after it */
  async close(): Promise<string> {
    this.closing.abort();
    await this.reading;
    return [...this.text.matchAll(/^id: (.*)$/gm)].at(-1)?.[1] ?? '';
  }

  private async whenever(holds: () => boolean): Promise<void> {
    while (!holds()) {
      if (!this.isOpen) throw new Error('the stream has ended');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  private async read({ body }: Response): Promise<void> {
    const decoder = new TextDecoder();
    try {
      for await (const chunk of body ?? []) this.text += decoder.decode(chunk as Uint8Array, { stream: true });
    } catch {
      // Closed by this side.
    }
    this.isOpen = false;
  }
}
