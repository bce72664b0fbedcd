// Whether an address can be reached, and whether a proxy answers there.

import { connect as connectTcp } from 'node:net';
import { connect as connectTls, type PeerCertificate } from 'node:tls';
import { type Address, addressText } from '../../client/endpoint.js';
import { listenerAt } from '../../client/wire/strangers.js';
import { abortReason } from '../../support/abort.js';
import { monotonicMs, realTimeIn, withDeadline } from '../../support/deadline.js';
import { RocketMQError, TransportError } from '../../support/errors.js';
import { describeError } from '../../support/logger.js';
import type { Check } from './check.js';
import { type Greeted, type ProbeAccess, ProxyProbe } from './proxy-probe.js';

/** What came of an address. */
export interface Reached {
  readonly checks: readonly Check[];
  /** Undefined: no proxy answers there. */
  readonly greeted: Greeted | undefined;
}

/** Looks at an address that was given: connection, TLS where it is spoken, protocol. */
export async function reach(address: Address, access: ProbeAccess): Promise<Reached> {
  const subject = addressText(address);
  const skipped = (name: string): Check => ({ status: 'skipped', name, subject, seen: 'there is no connection' });
  const isTls = access.tls !== undefined && access.tls !== false;
  const startedAtMs = monotonicMs();
  try {
    await dial(address, access.timeoutMs);
  } catch (error) {
    const failed: Check = { status: 'failed', name: 'tcp', subject, ...noConnection(error) };
    return { checks: [failed, ...(isTls ? [skipped('tls')] : []), skipped('protocol')], greeted: undefined };
  }
  const tcp: Check = { status: 'ok', name: 'tcp', subject, seen: `connected in ${sinceMs(startedAtMs)} ms` };
  const { greeted, protocol, tlsProblem } = await greet(address, access);
  if (!isTls) return { checks: [tcp, protocol], greeted };
  const tls = tlsProblem ?? (await certificateCheck(address, access));
  return { checks: [tcp, tls, protocol], greeted };
}

async function greet(address: Address, access: ProbeAccess) {
  const subject = addressText(address);
  const probe = new ProxyProbe(address, access);
  const startedAtMs = monotonicMs();
  try {
    const greeted = await probe.greet();
    const who = greeted.isEmbeddedBroker ? 'an embedded broker' : 'a RocketMQ 5 proxy';
    const protocol: Check = {
      status: 'ok',
      name: 'protocol',
      subject,
      seen: `${who} answers in ${sinceMs(startedAtMs)} ms`,
    };
    return { greeted, protocol, tlsProblem: undefined };
  } catch (error) {
    const isOverTls = access.tls !== undefined && access.tls !== false;
    const isOfTls = RocketMQError.is(error) && error.code === 'TLS_FAILED';
    const listener = await listenerAt(address, access.timeoutMs);
    const stranger = listener?.kind === 'stranger' ? listener : undefined;
    const why = 'clients speak gRPC over HTTP/2 with a proxy, and with nobody else';
    const protocol: Check =
      stranger === undefined
        ? { status: 'failed', name: 'protocol', subject, seen: describeError(error), why, advice: ADVICE_FOR_STRANGERS }
        : {
            status: 'failed',
            name: 'protocol',
            subject,
            seen: `${stranger.what} answers`,
            why,
            advice: stranger.advice,
          };
    const tlsProblem = tlsProblemOf(isOfTls && isOverTls, stranger !== undefined, protocol, error);
    return {
      greeted: undefined,
      protocol: stranger === undefined && tlsProblem ? NOT_REACHED(subject) : protocol,
      tlsProblem,
    };
  } finally {
    probe.close();
  }
}

function tlsProblemOf(isOfTls: boolean, isStranger: boolean, protocol: Check, error: unknown): Check | undefined {
  if (isOfTls) return { ...protocol, ...TLS, seen: describeError(error) };
  const { subject } = protocol;
  return isStranger ? { status: 'skipped', name: 'tls', subject, seen: 'what answers is no proxy' } : undefined;
}

const ADVICE_FOR_STRANGERS = 'look at the address, and at whether TLS is to be spoken there (--tls)';
const TLS = {
  name: 'tls',
  why: 'nothing is sent to a server that is not the one that was meant',
  advice: 'the message says what to mend; --tls-ca names the authority that signed the certificate',
} as const;
const NOT_REACHED = (subject: string): Check => ({
  status: 'skipped',
  name: 'protocol',
  subject,
  seen: 'TLS did not come about',
});

/** Connects and hangs up. @throws the error of the socket, or that of the deadline */
export async function dial({ host, port }: Address, timeoutMs: number): Promise<void> {
  const socket = connectTcp({ host, port });
  try {
    await withDeadline(`connection to ${host}:${port}`, timeoutMs, undefined, ({ signal }) => {
      const text = `nothing came back within ${timeoutMs} ms`;
      return new Promise<void>((resolve, reject) => {
        socket.once('connect', () => resolve());
        socket.once('error', reject);
        const late = (): void => reject(new TransportError('DEADLINE_EXCEEDED', text, 'not-sent', true));
        signal.addEventListener('abort', late, { once: true });
      });
    });
  } finally {
    socket.destroy();
  }
}

/** What kept a connection from being made, and what to do. */
export function noConnection(error: unknown): { readonly seen: string; readonly why: string; readonly advice: string } {
  const code = String((error as { code?: unknown }).code);
  const advice = ADVICE[code] ?? 'look at the address, the network and the firewalls between';
  const said = String((error as { message?: unknown }).message ?? error);
  return { seen: `no connection: ${said}`, why: 'nothing can be sent or received here', advice };
}

const ADVICE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there: is the proxy running, and is this its port (grpcServerPort, usually 8081)?',
  ENOTFOUND: 'the name is not known here: mend it, or make it known to the DNS of this machine',
  EAI_AGAIN: 'the DNS of this machine does not answer for the name: mend it, or give an IP address',
  EHOSTUNREACH: 'there is no way to that host from here: look at the network',
  ENETUNREACH: 'there is no way to that network from here: look at the network',
  DEADLINE_EXCEEDED: 'packets get lost: a firewall, or an address that cannot be reached from this network',
};

const SOON_MS = 14 * 24 * 3_600_000;

/** Who the server says it is, and until when; whether that is believed was settled before. */
async function certificateCheck(address: Address, access: ProbeAccess): Promise<Check> {
  const subject = addressText(address);
  const name = 'tls';
  try {
    const { subject: owner, valid_to } = await certificateOf(address, access.timeoutMs);
    const leftMs = new Date(valid_to).getTime() - realTimeIn(0).getTime();
    const until = new Date(valid_to).toISOString();
    const seen = `the certificate of ${String(owner?.CN ?? 'a server without name')} is valid until ${until}`;
    if (leftMs > SOON_MS) return { status: 'ok', name, subject, seen };
    const why = 'when it has expired, no client can connect any more';
    return { status: 'warning', name, subject, seen, why, advice: 'renew it on the server' };
  } catch (error) {
    // A server that wants a certificate of the client hangs up on this question; it has let in the client itself.
    return { status: 'ok', name, subject, seen: `spoken; the certificate was not looked at: ${describeError(error)}` };
  }
}

async function certificateOf({ host, port }: Address, timeoutMs: number): Promise<PeerCertificate> {
  const socket = connectTls({ host, port, rejectUnauthorized: false, ALPNProtocols: ['h2'] });
  try {
    return await withDeadline('TLS greeting', timeoutMs, undefined, ({ signal }) => {
      return new Promise<PeerCertificate>((resolve, reject) => {
        socket.once('secureConnect', () => resolve(socket.getPeerCertificate()));
        socket.once('error', reject);
        signal.addEventListener('abort', () => reject(abortReason(signal)), { once: true });
      });
    });
  } finally {
    socket.destroy();
  }
}

export function sinceMs(startedAtMs: number): number {
  return Math.max(1, Math.round(monotonicMs() - startedAtMs));
}
