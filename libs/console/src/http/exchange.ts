// One request to the console and its answer, without a framework: Express, Fastify and node:http are adapted to these.

import type { IncomingHttpHeaders } from 'node:http';
import { JSON_HEADERS } from './headers.js';

export interface ConsoleRequest {
  readonly method: string;
  /** After the path at which the console is mounted: `/`, `/api/topics`; empty without a slash at its end. Percent-encoded. */
  readonly path: string;
  /** The last part of the path at which it is mounted; undefined at the root. */
  readonly mountedAs?: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** `1.0`, `1.1` or `2.0`; undefined where the connection does not say. */
  readonly httpVersion?: string;
  /** The host that the browser asked for: `Host`, or what a proxy says that the application trusts. */
  readonly host: string | undefined;
  /** The address of the peer; undefined when its connection is gone. */
  readonly remoteAddress: string | undefined;
  /** Who asks, as the application knows; undefined when it does not say. */
  readonly viewer: string | undefined;
  /** Aborts when the browser goes away. */
  readonly signal: AbortSignal;
  /** The parsed body of a change. @throws ConsoleRejection for one that is no JSON, or too large */
  json(): Promise<unknown>;
}

export type ConsoleAnswer =
  | { readonly kind: 'whole'; readonly status: number; readonly headers: Headers; readonly body: string | Buffer }
  /** Lines of an event stream, until it ends or the browser goes away. */
  | {
      readonly kind: 'stream';
      readonly status: number;
      readonly headers: Headers;
      readonly lines: AsyncIterable<string>;
    };

type Headers = Readonly<Record<string, string>>;

/** A request that is not carried out. */
export class ConsoleRejection extends Error {
  override readonly name = 'ConsoleRejection';

  constructor(
    /** An HTTP status. */
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

export function jsonAnswer(status: number, value: unknown): ConsoleAnswer {
  return { kind: 'whole', status, headers: JSON_HEADERS, body: toJson(value) };
}

export function rejectionAnswer({ status, code, message }: ConsoleRejection): ConsoleAnswer {
  return jsonAnswer(status, { error: { code, message } });
}

/** JSON for the browser: bytes are base64, errors are what a person may read. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, replaced);
}

function replaced(this: unknown, key: string, value: unknown): unknown {
  // JSON.stringify has already called toJSON() of a buffer; the buffer itself is in its holder.
  const given = (this as Record<string, unknown>)[key];
  if (Buffer.isBuffer(given)) return given.toString('base64');
  if (!(value instanceof Error)) return value;
  const { code, message } = value as Error & { readonly code?: unknown };
  return typeof code === 'string' ? { code, message } : { message };
}
