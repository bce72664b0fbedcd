// What a page gets while it is open: one event stream for each tab, with the samples of the groups that it shows and the messages of the topic
// that it follows.

import { setTimeout as wait } from 'node:timers/promises';
import { RocketMQError, type StoredMessageView } from 'nestjs-rocketmq/admin';
import { ConsoleRejection, toJson } from '../http/exchange.js';
import type { PageContext } from './context.js';
import { Query } from './queries.js';

const SAMPLES_MS = 2_000;
/** Proxies end a stream that is silent for a minute. */
const HEARTBEAT_MS = 15_000;
/** A person reads no more; the rest is counted. */
const MAX_FOLLOWED = 200;
const MAX_GROUPS = 50;
/** A browser that does not read must not fill the memory: then events are dropped, and counted. */
const MAX_WAITING = { events: 500, characters: 4_000_000 };
const MAX_STREAMS = 100;
/** A viewer with a name leaves room for others; behind a proxy, those without a name cannot be distinguished. */
const MAX_PER_VIEWER = 20;
/** The browser sends it back in a header. */
const MAX_ID_LENGTH = 8_000;
/** How soon a topic is followed again when no broker has answered for long. */
const AGAIN_MS = 2_000;

/** The streams that are open. */
export class LiveStreams {
  /** With whose they are. */
  private readonly open = new Map<Lines, string | undefined>();
  private isClosed = false;

  /** @throws ConsoleRejection when too many tabs are open */
  lines(context: PageContext): AsyncIterable<string> {
    const query = new Query(context.request);
    const groups = (query.text('groups') ?? '').split(',').filter((name) => name !== '');
    if (groups.length > MAX_GROUPS)
      throw new ConsoleRejection(400, 'WRONG_PARAMETER', `groups must have at most ${MAX_GROUPS} names`);
    const follow = query.text('follow');
    const text = query.text('text');
    const since = context.request.headers['last-event-id'];
    if (this.isClosed) throw new ConsoleRejection(503, 'CLOSED', 'the console is closing');
    if (this.open.size >= MAX_STREAMS)
      throw new ConsoleRejection(503, 'TOO_MANY', `${MAX_STREAMS} tabs are open on this console; close one`);
    const { viewer } = context.request;
    const own = [...this.open.values()].filter((one) => one === viewer).length;
    if (viewer !== undefined && own >= MAX_PER_VIEWER)
      throw new ConsoleRejection(503, 'TOO_MANY', `you have ${MAX_PER_VIEWER} tabs open on this console; close one`);
    return this.stream(context, { groups, follow, text, since: typeof since === 'string' ? since : undefined });
  }

  /** Ends all streams. */
  close(): void {
    this.isClosed = true;
    for (const lines of this.open.keys()) lines.end();
  }

  private async *stream(context: PageContext, options: StreamOptions): AsyncGenerator<string> {
    const lines = new Lines(context.request.signal);
    this.open.set(lines, context.request.viewer);
    const detach = [context.watch.attach(), ...options.groups.map((group) => context.watch.pin(group))];
    const sample = (): void => {
      lines.add(event('samples', samplesOf(context, options.groups)));
      void this.addTime(context, lines);
    };
    const timers = [
      setInterval(sample, SAMPLES_MS).unref(),
      setInterval(() => lines.add(': still here\n\n'), HEARTBEAT_MS).unref(),
    ];
    try {
      sample();
      if (options.follow !== undefined) void this.follow(context, options.follow, options, lines);
      yield* lines;
    } finally {
      for (const timer of timers) clearInterval(timer);
      for (const leave of detach) leave();
      lines.end();
      this.open.delete(lines);
    }
  }

  private async addTime({ time }: PageContext, lines: Lines): Promise<void> {
    try {
      const state = await time.read();
      if (state === undefined) return;
      const { nowMs, offsetMs, nextDueAtMs } = state;
      lines.add(event('time', { nowMs, offsetMs, nextDueAtMs }));
    } catch {
      // The samples report that the broker does not answer.
    }
  }

  private async follow(context: PageContext, topic: string, options: StreamOptions, lines: Lines): Promise<void> {
    let after = options.since;
    for (;;) {
      try {
        for await (const batch of this.batches(context, topic, { text: options.text, after }, lines.signal)) {
          after = batch.next;
          lines.add(event('messages', batch.news, after.length <= MAX_ID_LENGTH ? after : undefined));
        }
      } catch (error) {
        if (lines.signal.aborted) return;
        lines.add(event('problem', { message: (error as Error).message }));
        // Brokers that were away for long come back; anything else stays as it is.
        if (!RocketMQError.is(error) || !error.retryable) return;
      }
      try {
        await wait(AGAIN_MS, undefined, { signal: lines.signal });
      } catch {
        return;
      }
    }
  }

  private async *batches(
    { admin, redaction }: PageContext,
    topic: string,
    { text, after }: { readonly text: string | undefined; readonly after: string | undefined },
    signal: AbortSignal,
  ) {
    const filter = text === undefined ? undefined : (one: StoredMessageView) => redaction.contains(one, text);
    const options = { filter, after, maxMessages: MAX_FOLLOWED, signal };
    for await (const { messages, skipped, next, failures } of admin.tailMessages(topic, options)) {
      const problems = failures.map(({ name, error }) => `${name}: ${error.message}`);
      yield { next, news: { messages: messages.map((one) => redaction.short(one)), skipped, problems } };
    }
  }
}

interface StreamOptions {
  readonly groups: readonly string[];
  readonly follow: string | undefined;
  readonly text: string | undefined;
  readonly since: string | undefined;
}

function samplesOf({ watch, nowMs }: PageContext, groups: readonly string[]) {
  return { nowMs: nowMs(), samples: groups.flatMap((group) => watch.sampleOf(group) ?? []) };
}

/** @param id what the browser sends when it connects again */
function event(name: string, data: unknown, id?: string): string {
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${name}\ndata: ${toJson(data)}\n\n`;
}

/** Lines that wait for the browser. */
class Lines implements AsyncIterable<string> {
  private readonly waiting: string[] = [];
  private characters = 0;
  private wake: () => void = () => {};
  private isEnded = false;
  private dropped = 0;
  private readonly ending = new AbortController();

  constructor(outer: AbortSignal) {
    if (outer.aborted) this.end();
    else outer.addEventListener('abort', () => this.end(), { once: true });
  }

  /** Aborts when the stream ends. */
  get signal(): AbortSignal {
    return this.ending.signal;
  }

  add(line: string): void {
    if (this.isEnded) return;
    const isFull = this.waiting.length >= MAX_WAITING.events || this.characters >= MAX_WAITING.characters;
    if (isFull) this.dropped++;
    else {
      this.waiting.push(line);
      this.characters += line.length;
    }
    this.wake();
  }

  end(): void {
    this.isEnded = true;
    this.ending.abort(new Error('the stream has ended'));
    this.wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<string> {
    for (;;) {
      const line = this.waiting.shift();
      if (line !== undefined) {
        this.characters -= line.length;
        yield line;
        continue;
      }
      if (this.isEnded) return;
      if (this.dropped > 0) {
        yield event('dropped', { events: this.dropped });
        this.dropped = 0;
      }
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }
}
