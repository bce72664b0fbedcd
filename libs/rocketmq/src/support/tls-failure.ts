// Explains why a TLS connection could not be established, and what to do. The explanation relies on the messages of Node and
// OpenSSL, because @grpc/grpc-js does not pass on their codes.

import { connect as connectTcp, isIP } from 'node:net';
import { connect } from 'node:tls';
import { type CallOptions, waitWithin } from './deadline.js';
import { TransportError } from './errors.js';
import { type Asking, firstAnswer } from './first-answer.js';
import type { ResolvedTls } from './tls.js';

interface Explanation {
  readonly pattern: RegExp;
  readonly advice: string;
}

/** OpenSSL's messages for an answer that is not TLS. */
const PLAINTEXT_ANSWER = /wrong version number|packet length too long|http request/i;

const EXPLANATIONS: readonly Explanation[] = [
  {
    pattern: /certificate has expired/i,
    advice:
      "the server's certificate, or one above it in the chain, has expired: renew it, or check this machine's clock",
  },
  {
    pattern: /certificate is not yet valid/i,
    advice: "the server's certificate is not valid yet: check the clocks of this machine and of the server",
  },
  {
    pattern: /does not match certificate's altnames|ERR_TLS_CERT_ALTNAME/i,
    advice:
      "the server's certificate is for another name: connect by a name that the certificate contains, or set the expected name in " +
      'the option tls.serverName',
  },
  {
    pattern: /self[- ]signed certificate|unable to (?:verify the first|get (?:local )?issuer) certificate/i,
    advice:
      "the server's certificate is signed by an untrusted authority: set the option tls.ca to the certificate of that authority",
  },
  {
    pattern: /alert certificate required|alert handshake failure/i,
    advice: 'the server requires a client certificate: set the options tls.cert and tls.key',
  },
  {
    pattern:
      /alert (?:unknown ca|bad certificate|certificate unknown|certificate expired|certificate revoked|unsupported certificate|access denied)/i,
    advice: "the server rejects this client's certificate: set the options tls.cert and tls.key to one that it trusts",
  },
  {
    pattern: PLAINTEXT_ANSWER,
    advice:
      'the server does not use TLS on this port: remove the option tls (and "https://"), or enable TLS on the server',
  },
  {
    pattern: /\balert\b|unsupported protocol|no shared cipher|no protocols available|EPROTO|SSL routines|certificate/i,
    advice: "client and server cannot agree on TLS parameters: compare the option tls with the server's configuration",
  },
];

/**
 * @param what the call and the server, for example "QueryRoute to localhost:8081"
 * @param text the message of the transport
 * @returns undefined when TLS is not the cause: the server is unavailable
 */
export function tlsFailure(what: string, text: string, cause: unknown): TransportError | undefined {
  const found = EXPLANATIONS.find(({ pattern }) => pattern.test(text));
  return found === undefined
    ? undefined
    : rejected(`${what}: ${found.advice}; nothing was sent (${reasonIn(text)})`, cause);
}

/** Whether the transport's message says that a TLS handshake was answered by something else. */
export function isAnsweredInPlaintext(text: string): boolean {
  return PLAINTEXT_ANSWER.test(text);
}

/** The error for a client without TLS whose server accepts only TLS. */
export function tlsMissing(what: string, cause: unknown): TransportError {
  const advice = 'the server accepts only TLS: set the option tls, or start endpoints with "https://"';
  return rejected(`${what}: ${advice}; nothing was sent`, cause);
}

/** The error for a server that closes the connection as soon as it has seen this client's certificate, without an alert. */
export function identityRejected(what: string, cause: unknown): TransportError {
  const advice =
    'the server closes the connection after the TLS handshake: does it trust the certificate in the option tls.cert?';
  return rejected(`${what}: ${advice} Nothing was sent`, cause);
}

/** How long the probe may take, in milliseconds. It only makes an error clearer. */
const PROBE_MS = 1_000;

/** The first byte of the alert record with which a TLS server rejects anything that is not TLS. */
export const TLS_ALERT = 0x15;

/** The result of a TLS handshake: `served` and `dropped` describe what followed it. */
type HandshakeResult = 'none' | 'alert' | 'dropped' | 'served';

/**
 * Performs a TLS handshake with the server on an address and sends nothing else. The server's certificate does not matter.
 * @param tls the options with the client's certificate; undefined for none
 * @param options `timeoutMs` default 1 s
 */
export async function tlsHandshake(
  { host, port }: { readonly host: string; readonly port: number },
  tls: ResolvedTls | undefined,
  { timeoutMs = PROBE_MS, signal: outer }: CallOptions = {},
): Promise<HandshakeResult> {
  const socket = connect({
    host,
    port,
    rejectUnauthorized: false,
    ALPNProtocols: ['h2'],
    secureContext: tls?.secureContext(),
    servername: tls?.serverName ?? (isIP(host) === 0 ? host : ''),
  });
  let result: HandshakeResult = 'none';
  const over = new Promise<HandshakeResult>((resolve) => {
    socket.once('secureConnect', () => {
      result = 'dropped';
    });
    // An HTTP/2 server sends the first frame.
    socket.once('data', () => resolve('served'));
    socket.once('error', ({ message }) => resolve(/\balert\b/.test(message) ? 'alert' : result));
    socket.once('close', () => resolve(result));
  });
  try {
    return await waitWithin('TLS greeting', timeoutMs, outer, over);
  } catch {
    return result === 'none' ? 'none' : 'served';
  } finally {
    socket.destroy();
  }
}

/**
 * Whether a server accepts only TLS on an address: it completes a handshake and does not answer plaintext. A server can serve
 * both on one port, and then a broken connection has another cause.
 * @param opening the first bytes that the client sends in plaintext
 * @param signal ends the question; the answer is then false
 */
export async function isTlsOnly(
  address: { host: string; port: number },
  opening: Buffer,
  signal: AbortSignal,
): Promise<boolean> {
  const asking = { timeoutMs: PROBE_MS, signal };
  return (await tlsHandshake(address, undefined, asking)) !== 'none' && rejectsPlaintext(address, opening, asking);
}

/**
 * Whether a server that accepts TLS rejects anything else. Asked after the handshake: a server that has just started, or is busy, accepts one
 * and not the other for a moment. One that says nothing may be busy.
 */
export async function rejectsPlaintext(
  address: { host: string; port: number },
  opening: Buffer,
  asking: Asking,
): Promise<boolean> {
  const answer = await firstAnswer(connectTcp({ ...address }), opening, asking, ([first]) => first !== TLS_ALERT);
  return (answer === false || answer === 'ended') && !asking.signal?.aborted;
}

function rejected(message: string, cause: unknown): TransportError {
  return new TransportError('TLS_FAILED', message, 'not-sent', false, { cause });
}

/** Removes the text that grpc-js adds, and OpenSSL's line numbers. */
function reasonIn(text: string): string {
  const noteAt = text.indexOf(' Resolution note:');
  const reason =
    noteAt < 0
      ? text
      : text
          .slice(0, noteAt)
          .replace(/\.$/, '')
          .replace(/\([\dT:.Z-]+\)$/, '');
  return reason
    .replace(/^No connection established\. Last error: /, '')
    .trimEnd()
    .replace(/^Error(?: \[\w+\])?: /, '')
    .replace(/\b[0-9A-F]+:error:[0-9A-F]+:/, '')
    .replace(/:[^:]*\.c:\d+:(?:SSL alert number \d+)?/, '')
    .trim();
}
