// Streams the histories of orders as server-sent events. They are read from the database, so a watcher continues where it was, even
// after a restart of this process, and a slow watcher uses no memory.

import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { type BeforeApplicationShutdown, Controller, Get, Headers, Query, Res } from '@nestjs/common';
import { ApiOperation, ApiProduces, ApiTags } from '@nestjs/swagger';
import { type Cursor, FULL_PAGE, Timeline, type TimelineEntry } from './timeline.js';

const MAX_WATCHERS = 32;
/** Far more entries than are ever read again. */
const MAX_SEEN = 1_000;
const POLL_MS = 300;
/** A comment is sent after this many polls without entries, so that proxies do not close the stream. */
const QUIET_POLLS = 50;

@ApiTags('page')
@Controller('events')
export class EventsController implements BeforeApplicationShutdown {
  private readonly ending = new AbortController();
  private watchers = 0;

  constructor(private readonly timeline: Timeline) {}

  beforeApplicationShutdown(): void {
    this.ending.abort();
  }

  @Get()
  @ApiOperation({ summary: 'the steps of all orders; from now on, or after Last-Event-ID (or `after`)' })
  @ApiProduces('text/event-stream')
  async watch(
    @Res() response: ServerResponse,
    @Headers('last-event-id') lastEventId?: string,
    @Query('after') after?: string,
  ): Promise<void> {
    if (this.watchers >= MAX_WATCHERS || this.ending.signal.aborted) {
      response.writeHead(503, { 'retry-after': '5' }).end();
      return;
    }
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const signal = AbortSignal.any([gone.signal, this.ending.signal]);
    this.watchers++;
    try {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
      await this.stream(response, parseCursor(lastEventId ?? after) ?? (await this.timeline.now()), signal);
    } catch (error) {
      // Either side has ended the stream; the watcher reconnects and continues where it was.
      if (!signal.aborted) response.destroy(error as Error);
    } finally {
      this.watchers--;
      response.end();
    }
  }

  private async stream(response: ServerResponse, from: Cursor, signal: AbortSignal): Promise<void> {
    let cursor = from;
    const seen = new Set<string>();
    await this.passOver(seen, cursor);
    await write(response, `retry: 1000\nid: ${textOf(cursor)}\nevent: ready\ndata: {}\n\n`, signal);
    for (let quiet = 0; !signal.aborted; quiet++) {
      if (cursor.stock === undefined) {
        cursor = { order: cursor.order, stock: await this.timeline.newestOfStock() };
        await this.passOver(seen, cursor);
      }
      let sent = 0;
      for (const entry of await this.timeline.after(cursor)) {
        if (!isFirst(seen, entry)) continue;
        cursor = moved(cursor, entry);
        sent++;
        quiet = 0;
        await write(response, `id: ${textOf(cursor)}\ndata: ${JSON.stringify(entry)}\n\n`, signal);
      }
      if (quiet % QUIET_POLLS === QUIET_POLLS - 1) await write(response, ': still here\n\n', signal);
      // A watcher that is behind gets the next page at once.
      if (sent < FULL_PAGE) await pause(POLL_MS, undefined, { signal });
    }
  }

  /** Marks earlier steps as seen, so that they are not sent. */
  private async passOver(seen: Set<string>, cursor: Cursor): Promise<void> {
    for (const entry of await this.timeline.after(cursor)) if (isBefore(entry, cursor)) isFirst(seen, entry);
  }
}

/** Writes, and waits until the watcher has read what was written. */
async function write(response: ServerResponse, text: string, signal: AbortSignal): Promise<void> {
  if (!response.write(text)) await once(response, 'drain', { signal });
}

/** Whether an entry is new; marks it as seen. */
function isFirst(seen: Set<string>, { service, id }: TimelineEntry): boolean {
  const name = `${service} ${id}`;
  if (seen.has(name)) return false;
  seen.add(name);
  const [oldest] = seen;
  if (seen.size > MAX_SEEN && oldest !== undefined) seen.delete(oldest);
  return true;
}

function isBefore({ service, id }: TimelineEntry, cursor: Cursor): boolean {
  return id <= (service === 'order-demo' ? cursor.order : (cursor.stock ?? 0));
}

function moved({ order, stock }: Cursor, { service, id }: TimelineEntry): Cursor {
  return service === 'order-demo' ? { order: Math.max(order, id), stock } : { order, stock: Math.max(stock ?? 0, id) };
}

function textOf({ order, stock }: Cursor): string {
  return `${order}.${stock ?? '-'}`;
}

function parseCursor(text: string | undefined): Cursor | undefined {
  const [, order, stock] = /^(\d{1,9})\.(\d{1,9}|-)$/.exec(text ?? '') ?? [];
  return order === undefined || stock === undefined
    ? undefined
    : { order: Number(order), stock: stock === '-' ? undefined : Number(stock) };
}
