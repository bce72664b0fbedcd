// Which fields begin a message: the pseudo-header fields of requests, responses and trailers (RFC 9113, section 8.3).

import type { Headers } from './header-encoder.js';

/** Requests have these pseudo-header fields and `:authority`, at most (RFC 9113, section 8.3.1). CONNECT is not supported. */
export function isRequest(headers: Headers): boolean {
  let known = headers[':authority'] === undefined ? 3 : 4;
  for (const name in headers) {
    if (!name.startsWith(':')) break;
    known--;
  }
  const { ':method': method, ':path': path, ':scheme': scheme } = headers;
  return known === 0 && method !== undefined && path !== undefined && path !== '' && scheme !== undefined;
}

const STATUS = /^[2-5]\d\d$/;

/** Responses have one pseudo-header field (RFC 9113, section 8.3.2). */
export function isResponse(headers: Headers): boolean {
  for (const name in headers) if (name.startsWith(':') && name !== ':status') return false;
  return STATUS.test(headers[':status'] ?? '');
}

/** Trailers have none (section 8.1). */
export function areTrailers(headers: Headers): boolean {
  for (const name in headers) return !name.startsWith(':');
  return true;
}
