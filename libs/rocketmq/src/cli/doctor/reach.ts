// Whether an address can be reached, and whether a proxy answers there.

import { connect as connectTcp } from 'node:net';
import { connect as connectTls, type PeerCertificate } from 'node:tls';
import { type Address, addressText } from '../../client/endpoint.js';
import { listenerAt } from '../../client/wire/other-servers.js';
import { abortReason } from '../../support/abort.js';
import { monotonicMs, realTimeIn, withNotedEffects } from '../../support/deadline.js';
import { RocketMQError, TransportError } from '../../support/errors.js';
import { describeError } from '../../support/logger.js';
import type { Check } from './check.js';
import { type Greeted, type ProbeAccess, ProxyProbe } from './proxy-probe.js';

/** The result of examining an address. */
export interface Reached {
  readonly checks: readonly Check[];
  /** Undefined: no proxy answers there. */
  readonly greeted: Greeted | undefined;
}

/** Examines a given address: connection, TLS if requested, protocol. */
export async function reach(address: Address, access: ProbeAccess): Promise<Reached> {
  const subject = addressText(address);
  const skipped = (name: string): Check => ({ status: 'skipped', name, subject, seen: 'not connected' });
  const isTls = access.tls !== undefined && access.tls !== false;
  const startedAtMs = monotonicMs();
  try {
    await dial(address, access.timeoutMs);
  } catch (error) {
    const failed: Check = { status: 'failed', name: 'tcp', subject, ...noConnection(error) };
    return { checks: [failed, ...(isTls ? [skipped('tls')] : []), skipped('protocol')], greeted: undefined };
  }
  const tcp: Check = { status: 'ok', name: 'tcp', subject, seen: `connected in ${sinceMs(startedAtMs)} ms` };
  const { greeted, protocol, tlsProblem } = await identifyProxy(address, access);
  if (!isTls) return { checks: [tcp, protocol], greeted };
  const tls = tlsProblem ?? (await certificateCheck(address, access));
  return { checks: [tcp, tls, protocol], greeted };
}

async function identifyProxy(address: Address, access: ProbeAccess) {
  const subject = addressText(address);
  const probe = new ProxyProbe(address, access);
  const startedAtMs = monotonicMs();
  try {
    const greeted = await probe.identify();
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
    const other = listener?.kind === 'other-server' ? listener : undefined;
    const why = 'clients connect to proxies only, with gRPC over HTTP/2';
    const protocol: Check =
      other === undefined
        ? { status: 'failed', name: 'protocol', subject, seen: describeError(error), why, advice: NO_PROXY_ADVICE }
        : {
            status: 'failed',
            name: 'protocol',
            subject,
            seen: `${other.what} answers`,
            why,
            advice: other.advice,
          };
    const tlsProblem = tlsProblemOf(isOfTls && isOverTls, other !== undefined, protocol, error);
    return {
      greeted: undefined,
      protocol: other === undefined && tlsProblem ? NOT_REACHED(subject) : protocol,
      tlsProblem,
    };
  } finally {
    probe.close();
  }
}

function tlsProblemOf(isOfTls: boolean, isOther: boolean, protocol: Check, error: unknown): Check | undefined {
  if (isOfTls) return { ...protocol, ...TLS, seen: describeError(error) };
  const { subject } = protocol;
  return isOther ? { status: 'skipped', name: 'tls', subject, seen: 'what answers is not a proxy' } : undefined;
}

const NO_PROXY_ADVICE =
  'check the address, that the server is not suspended or overloaded, and whether it requires TLS (--tls)';
const TLS = {
  name: 'tls',
  why: 'clients send nothing to a server whose identity they cannot verify',
  advice: 'fix what the message reports; --tls-ca takes the CA certificate that signed the certificate of the server',
} as const;
const NOT_REACHED = (subject: string): Check => ({
  status: 'skipped',
  name: 'protocol',
  subject,
  seen: 'TLS failed',
});

/** Connects and disconnects. @throws the error of the socket, or that of the deadline */
export async function dial({ host, port }: Address, timeoutMs: number): Promise<void> {
  const socket = connectTcp({ host, port });
  try {
    await withNotedEffects(`connection to ${host}:${port}`, timeoutMs, undefined, ({ signal }) => {
      const text = `no answer within ${timeoutMs} ms`;
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

/** Why a connection failed, and what to do. */
export function noConnection(error: unknown): { readonly seen: string; readonly why: string; readonly advice: string } {
  const code = String((error as { code?: unknown }).code);
  const advice = ADVICE[code] ?? 'check the address, the network and the firewalls in between';
  const message = String((error as { message?: unknown }).message ?? error);
  return { seen: `cannot connect: ${message}`, why: 'clients cannot send or receive through this address', advice };
}

const ADVICE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there: is the proxy running, and is this its port (grpcServerPort, usually 8081)?',
  ENOTFOUND: 'the host name cannot be resolved: correct it, or add it to the DNS of this machine',
  EAI_AGAIN: 'the DNS of this machine does not answer: fix it, or use an IP address',
  EHOSTUNREACH: 'there is no route to that host from here: check the network',
  ENETUNREACH: 'there is no route to that network from here: check the network',
  DEADLINE_EXCEEDED: 'packets are dropped: check firewalls, and whether the address can be reached from this network',
};

const SOON_MS = 14 * 24 * 3_600_000;

/** The name and the end of validity in the server's certificate. Whether it is trusted was checked before. */
async function certificateCheck(address: Address, access: ProbeAccess): Promise<Check> {
  const subject = addressText(address);
  const name = 'tls';
  try {
    const { subject: owner, valid_to } = await certificateOf(address, access.timeoutMs);
    const leftMs = new Date(valid_to).getTime() - realTimeIn(0).getTime();
    const until = new Date(valid_to).toISOString();
    const seen = `the certificate of ${String(owner?.CN ?? 'a server without a name')} is valid until ${until}`;
    if (leftMs > SOON_MS) return { status: 'ok', name, subject, seen };
    const why = 'clients cannot connect once it has expired';
    return { status: 'warning', name, subject, seen, why, advice: 'renew the certificate on the server' };
  } catch (error) {
    // A server that requires a client certificate closes this connection, although the client itself connected before.
    return { status: 'ok', name, subject, seen: `works; the certificate could not be read: ${describeError(error)}` };
  }
}

async function certificateOf({ host, port }: Address, timeoutMs: number): Promise<PeerCertificate> {
  const socket = connectTls({ host, port, rejectUnauthorized: false, ALPNProtocols: ['h2'] });
  try {
    return await withNotedEffects('TLS greeting', timeoutMs, undefined, ({ signal }) => {
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
