// JSON as the server's library writes it: numeric map keys stand without quotes. Nothing else is forgiven.

const STRING_OR_KEY = /"(?:[^"\\]|\\.)*"|([{,]\s*)(-?\d+)(\s*:)/g;

/**
 * Parses JSON in which object keys that are numbers may lack their quotes, as in `{0:"10.0.0.1:10911"}`.
 * @throws SyntaxError for anything else that is not JSON
 * @see answer to request code 106 (cluster info), seen on 5.3.3 and 5.5.0
 */
export function parseLenientJson(text: string): unknown {
  // Strings are matched first and left alone, so that digits inside them are not taken for keys.
  const quoted = text.replace(STRING_OR_KEY, (match: string, before?: string, key?: string, after?: string) =>
    key === undefined ? match : `${before}"${key}"${after}`,
  );
  return JSON.parse(quoted);
}
