// What kept a connection from being made where TLS is the cause, in words that tell what to do. The words of Node and OpenSSL
// are all there is to tell by: @grpc/grpc-js hands on no code.

import { connect as connectTcp, isIP } from 'node:net';
import { connect } from 'node:tls';
import { type CallOptions, waitWithin } from './deadline.js';
import { TransportError } from './errors.js';
import { firstAnswer } from './first-answer.js';
import type { ResolvedTls } from './tls.js';

interface Explanation {
  readonly pattern: RegExp;
  readonly advice: string;
}

/** What OpenSSL calls an answer that is not TLS. */
const PLAINTEXT_ANSWER = /wrong version number|packet length too long|http request/i;

const EXPLANATIONS: readonly Explanation[] = [
  {
    pattern: /certificate has expired/i,
    advice: "the server's certificate, or one above it, has expired: renew it there, and look at this machine's clock",
  },
  {
    pattern: /certificate is not yet valid/i,
    advice: "the server's certificate is not valid yet: look at this machine's clock and at the server's",
  },
  {
    pattern: /does not match certificate's altnames|ERR_TLS_CERT_ALTNAME/i,
    advice:
      "the server's certificate is for another name: connect by a name that it holds, or say which name to expect by the " +
      'option tls.serverName',
  },
  {
    pattern: /self[- ]signed certificate|unable to (?:verify the first|get (?:local )?issuer) certificate/i,
    advice:
      "the server's certificate is signed by an authority that is not trusted here: give that authority in the option tls.ca",
  },
  {
    pattern: /alert certificate required|alert handshake failure/i,
    advice: 'the server demands a certificate of the client: give the options tls.cert and tls.key',
  },
  {
    pattern:
      /alert (?:unknown ca|bad certificate|certificate unknown|certificate expired|certificate revoked|unsupported certificate|access denied)/i,
    advice:
      'the server refuses the certificate of this client: give one in the options tls.cert and tls.key that it trusts',
  },
  {
    pattern: PLAINTEXT_ANSWER,
    advice:
      'the server does not speak TLS on this port: leave out the option tls (and "https://"), or switch TLS on at the server',
  },
  {
    pattern: /\balert\b|unsupported protocol|no shared cipher|no protocols available|EPROTO|SSL routines|certificate/i,
    advice: 'client and server cannot agree on TLS: compare the options tls with how the server is set up',
  },
];

/**
 * @param what the call and the server, for instance "QueryRoute to localhost:8081"
 * @param text what the wire said
 * @returns undefined when TLS is not to blame: the server is away
 */
export function tlsFailure(what: string, text: string, cause: unknown): TransportError | undefined {
  const found = EXPLANATIONS.find(({ pattern }) => pattern.test(text));
  return found === undefined
    ? undefined
    : refused(`${what}: ${found.advice}; nothing was sent (${reasonIn(text)})`, cause);
}

/** Whether the wire said that a greeting by TLS was answered by something else. */
export function isAnsweredInPlaintext(text: string): boolean {
  return PLAINTEXT_ANSWER.test(text);
}

/** The error for a client without TLS whose server speaks nothing else. */
export function tlsMissing(what: string, cause: unknown): TransportError {
  const advice = 'the server speaks TLS only: set the option tls, or begin endpoints with "https://"';
  return refused(`${what}: ${advice}; nothing was sent`, cause);
}

/** The error for a server that breaks the connection as soon as it has seen this client's certificate, without a word. */
export function identityRefused(what: string, cause: unknown): TransportError {
  const advice =
    'the server breaks the connection after the TLS greeting: does it trust the certificate in the option tls.cert?';
  return refused(`${what}: ${advice} Nothing was sent`, cause);
}

/** How long the question may take: it only makes an error clearer. */
const PROBE_MS = 1_000;

/** The first byte of a record by which a TLS server refuses what is not TLS. */
export const TLS_ALERT = 0x15;

/** What became of a TLS greeting: `served` and `dropped` are what came after it. */
export type Greeting = 'none' | 'alert' | 'dropped' | 'served';

/**
 * Greets what listens on an address by TLS and says nothing else. Its certificate does not matter.
 * @param tls whose certificate to show; undefined for none
 * @param options `timeoutMs` default 1 s
 */
export async function greet(
  { host, port }: { readonly host: string; readonly port: number },
  tls: ResolvedTls | undefined,
  { timeoutMs = PROBE_MS, signal: outer }: CallOptions = {},
): Promise<Greeting> {
  const socket = connect({
    host,
    port,
    rejectUnauthorized: false,
    ALPNProtocols: ['h2'],
    secureContext: tls?.secureContext,
    servername: tls?.serverName ?? (isIP(host) === 0 ? host : ''),
  });
  let greeting: Greeting = 'none';
  const over = new Promise<Greeting>((resolve) => {
    socket.once('secureConnect', () => {
      greeting = 'dropped';
    });
    // An HTTP/2 server speaks first.
    socket.once('data', () => resolve('served'));
    socket.once('error', ({ message }) => resolve(/\balert\b/.test(message) ? 'alert' : greeting));
    socket.once('close', () => resolve(greeting));
  });
  try {
    return await waitWithin('TLS greeting', timeoutMs, outer, over);
  } catch {
    return greeting === 'none' ? 'none' : 'served';
  } finally {
    socket.destroy();
  }
}

/**
 * Whether TLS is all that is spoken on an address: it is, and what a client begins with in plaintext is not answered. A server may serve
 * both on one port, and then a connection that broke has another cause.
 * @param opening what the client begins with
 */
export async function isTlsOnly(address: { host: string; port: number }, opening: Buffer): Promise<boolean> {
  return (await greet(address, undefined)) !== 'none' && !(await answersPlaintext(address, opening));
}

async function answersPlaintext(address: { host: string; port: number }, opening: Buffer): Promise<boolean> {
  const asking = { timeoutMs: PROBE_MS, signal: undefined };
  const answer = await firstAnswer(connectTcp({ ...address }), opening, asking, ([first]) => first !== TLS_ALERT);
  return answer === true;
}

function refused(message: string, cause: unknown): TransportError {
  return new TransportError('TLS_FAILED', message, 'not-sent', false, { cause });
}

/** Without what grpc-js puts around it, and OpenSSL's line numbers. */
function reasonIn(text: string): string {
  const noteAt = text.indexOf(' Resolution note:');
  const said =
    noteAt < 0
      ? text
      : text
          .slice(0, noteAt)
          .replace(/\.$/, '')
          .replace(/\([\dT:.Z-]+\)$/, '');
  return said
    .replace(/^No connection established\. Last error: /, '')
    .trimEnd()
    .replace(/^Error(?: \[\w+\])?: /, '')
    .replace(/\b[0-9A-F]+:error:[0-9A-F]+:/, '')
    .replace(/:[^:]*\.c:\d+:(?:SSL alert number \d+)?/, '')
    .trim();
}
