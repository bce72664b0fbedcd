// The console without a server, for specs with viewers, clocks and clusters of their own.

import type { ConsoleOptions } from '../../libs/console/src/access/options.js';
import { Console } from '../../libs/console/src/console.js';
import type { ConsoleRequest } from '../../libs/console/src/http/exchange.js';
import type { ConsoleSource } from '../../libs/console/src/source.js';
import { soon } from '../../tools/until.js';
import type { Json } from './console-bench.js';

interface Asked {
  readonly viewer?: string;
  /** Aborts where the browser goes away. */
  readonly signal?: AbortSignal;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An event stream that is read as it comes. */
export interface OpenStream {
  readonly got: readonly string[];
  /** Waits until the events have this. */
  has(text: string): Promise<void>;
  /** Resolves when the stream has ended by itself. */
  readonly ended: Promise<void>;
  leave(): Promise<void>;
}

export class ConsoleCore {
  /** What it logs. */
  readonly lines: string[] = [];
  readonly console: Console;

  constructor(source: Pick<ConsoleSource, 'admin'> & Partial<ConsoleSource>, options: ConsoleOptions = {}) {
    const log = (line: string): void => void this.lines.push(line);
    const clocks = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };
    this.console = new Console({ ...clocks, log, ...source }, { actions: 'all', bodies: 'shown', ...options });
  }

  /** Asks as `ada` unless another viewer is named. @returns the body, with its status */
  async ask(path: string, body?: object, asked: Asked = {}): Promise<Json> {
    const answer = await this.console.answer(requestOf(path, body, asked));
    if (answer.kind !== 'whole') throw new Error(`${path} is a stream`);
    return { status: answer.status, ...JSON.parse(answer.body.toString()) };
  }

  plan(change: object, asked?: Asked): Promise<Json> {
    return this.ask('/api/plans', change, asked);
  }

  execute({ plan }: { readonly plan: string }, asked?: Asked): Promise<Json> {
    return this.ask('/api/executions', { plan }, asked);
  }

  /** Plans a change and carries it out. */
  async change(change: object, asked?: Asked): Promise<Json> {
    return this.execute(await this.plan(change, asked), asked);
  }

  /** The newest first. */
  async audit(): Promise<Json[]> {
    return (await this.ask('/api/audit')).entries;
  }

  /** The lines of an event stream, for a browser that reads when it likes. */
  async stream(path: string, asked: Asked = {}): Promise<AsyncIterable<string>> {
    const answer = await this.console.answer(requestOf(path, undefined, asked));
    if (answer.kind === 'stream') return answer.lines;
    throw new Error(`${path} is no stream: ${answer.body}`);
  }

  async open(path: string, asked: Asked = {}): Promise<OpenStream> {
    const gone = new AbortController();
    const lines = await this.stream(path, { ...asked, signal: gone.signal });
    const got: string[] = [];
    const ended = (async () => {
      for await (const line of lines) got.push(line);
    })();
    const has = (text: string): Promise<void> => soon(() => got.some((line) => line.includes(text)));
    const leave = async (): Promise<void> => {
      gone.abort(new Error('the browser has gone away'));
      await ended;
    };
    return { got, has, ended, leave };
  }

  close(): void {
    this.console.close();
  }
}

function requestOf(path: string, body: object | undefined, { viewer = 'ada', signal, headers }: Asked): ConsoleRequest {
  const [plain = '', search = ''] = path.split('?');
  return {
    method: body === undefined ? 'GET' : 'POST',
    path: plain,
    query: new URLSearchParams(search),
    host: 'console.example',
    headers: {
      origin: 'https://console.example',
      'content-type': 'application/json',
      'x-rocketmq-console': '1',
      ...headers,
    },
    remoteAddress: '10.0.0.1',
    viewer,
    signal: signal ?? new AbortController().signal,
    json: async () => body,
  };
}
