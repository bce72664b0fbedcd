// The headers of every answer. The page loads nothing from elsewhere, runs no script of its own text, and cannot be framed.

const SAFE = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
} as const;

export const JSON_HEADERS = { ...SAFE, 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' };
export const EVENT_HEADERS = {
  ...SAFE,
  'content-type': 'text/event-stream; charset=utf-8',
  // What compresses answers, or buffers them as nginx does, would hold the events back.
  'cache-control': 'no-store, no-transform',
  'x-accel-buffering': 'no',
};

/** @param isNamedByContent its name has the hash of what is in it, so that it never changes */
export function fileHeaders(type: string, isNamedByContent: boolean): Readonly<Record<string, string>> {
  return {
    ...SAFE,
    'content-type': type,
    'cache-control': isNamedByContent ? 'public, max-age=31536000, immutable' : 'no-cache',
  };
}
