// The typed client of the control port. It depends only on the port's JSON, not on the broker.
// Over 300 lines for the documentation of its public methods.

import type { ClientRequest, RequestOptions } from 'node:http';
import { raceAbort } from '../../support/abort.js';
import { reasonOf } from '../../support/abort-source.js';
import { addressText, readAddresses, shownAddress } from '../../support/address.js';
import { type CallOptions, type Deadline, withNotedEffects } from '../../support/deadline.js';
import { RocketMQError, TransportError, UsageError } from '../../support/errors.js';
import {
  anyObject,
  anyString,
  assertCall,
  assertFields,
  assertObject,
  assertOptions,
  checkedElsewhere,
  type Fault,
  nonEmptyString,
  type OptionChecks,
  positiveNumber,
  rejected,
} from '../../support/options.js';
import { isAnsweredInPlaintext, isTlsOnly, tlsFailure } from '../../support/tls-failure.js';
import type { ConnectionChoice, ConnectionFault, FaultRule, PendingFault } from '../services/faults.js';
import type {
  AdvancedTime,
  BrokerState,
  ClientState,
  DelayedMessageState,
  DeliveredAgainState,
  DeliveredNow,
  DeliveryState,
  FaultList,
  GroupState,
  HalfMessageState,
  LagState,
  Page,
  TimeState,
  TopicState,
  VisibleMessageState,
} from './control-views.js';

/** A request that changes nothing. */
const OPENING = Buffer.from('GET /state HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n');
const DEFAULT_TIMEOUT_MS = 10_000;
/** Far more than a page with the beginnings of the largest messages. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
/** How the codes of Node's HTTP parser begin. */
const NOT_HTTP = 'HPE_';
/** The status of every answer that is not a rejection. */
const OK = 200;

/** The options of a `ControlClient`. */
export interface ControlClientOptions {
  /** `http://127.0.0.1:9080`, `https://…` for a broker with TLS, or `127.0.0.1:9080`. */
  readonly endpoint: string;
  /** Credentials of a super user, for a broker with users. Default: none. */
  readonly credentials?: { readonly accessKey: string; readonly secretKey: string };
  /** The CA certificate of the broker, PEM. Default: the system CA certificates. */
  readonly ca?: string | Buffer;
  /** The time limit of a request, in milliseconds. Default 10 s. */
  readonly timeoutMs?: number;
}

const CHECKS: OptionChecks<ControlClientOptions> = {
  endpoint: anyString,
  credentials: credentialsProblem,
  ca: (value) => (Buffer.isBuffer(value) ? undefined : nonEmptyString(value)),
  timeoutMs: positiveNumber,
};

/** Quotes no value. */
function credentialsProblem(value: unknown): string | Fault | undefined {
  if (anyObject(value) !== undefined) return 'must be an object with accessKey and secretKey';
  const given = value as Readonly<Record<string, unknown>>;
  const field = ['accessKey', 'secretKey'].find((key) => typeof given[key] !== 'string' || given[key] === '');
  return field && { field, problem: 'must be a non-empty string' };
}

/** @internal Answers as the control port does, in the process of the broker. @throws ControlError */
export type InsideControl = (asked: Asked, body: Buffer | undefined) => Promise<Buffer>;

/** A part of a list. */
export interface PageOptions extends CallOptions {
  /** Maximum items per page, 1 to 500. Default 100. */
  readonly limit?: number;
  /** `next` of the previous page. Default: from the beginning. */
  readonly after?: string;
}

/**
 * The control port rejected a request. `code` is the port's own, for instance `NOT_WAITING`. Nothing was changed, except with `NOT_QUIET`:
 * the message says how far the time was moved. With `NO_CONTROL_PORT` and a status from 500 on, as of an intermediary whose patience ended, a
 * change may have been made.
 */
export class ControlError extends RocketMQError {
  constructor(
    code: string,
    message: string,
    /** The HTTP status. */
    readonly status: number,
  ) {
    const isOpen = code === 'NOT_QUIET' || (code === 'NO_CONTROL_PORT' && status >= 500);
    super(code, message, isOpen ? 'unknown' : 'rejected', status === 409 || status >= 500);
  }
}

/** A part of {@link ControlClient.advanceTime} failed after others had moved the time. The cause is in `cause`. */
export class AdvanceInterruptedError extends RocketMQError {
  constructor(
    /** How far the time was moved before. */
    readonly done: AdvancedTime,
    cause: unknown,
  ) {
    const [reached, wanted] = [done.nowMs, done.targetMs].map((ms) => new Date(ms).toISOString());
    const why = cause instanceof Error ? cause.message : String(cause);
    const message = `the time was moved to ${reached}, not to ${wanted}: ${why}; go on with \`toMs\`, not with \`byMs\``;
    super('ADVANCE_INTERRUPTED', message, 'unknown', false, { cause });
  }
}

/** Identifies a delayed message by its topic and id, or by its recall handle. */
export type DelayedMessageName =
  | { readonly topic: string; readonly messageId: string }
  | { readonly recallHandle: string };

/** Identifies messages of a group: all with an id, or the one at a position. */
export type MessageName = { readonly group: string; readonly topic: string } & (
  | { readonly messageId: string }
  | { readonly queueId: number; readonly offset: number }
);

/** How far to move the time: by a duration, to a moment on the broker's clock, or to the next moment at which something is due. */
export type TimeJump = (
  | { readonly byMs: number }
  | { readonly toMs: number }
  | {
      readonly next: true;
    }
) & {
  /**
   * Time also moves while consumers hold messages: for handlers that outlive a lease, and for consumers that crashed while they held
   * messages. Default false.
   */
  readonly duringWork?: boolean;
};

/**
 * Inspects and manipulates an embedded broker, also in another process, through its control port. Every call throws a `ControlError`
 * when the port rejects it, and a TransportError when the port cannot be reached.
 */
export class ControlClient {
  private readonly base: URL;
  private readonly timeoutMs: number;
  private readonly inside: InsideControl | undefined;
  /** A private field, so that logging this object does not print it. */
  readonly #access: Pick<ControlClientOptions, 'credentials' | 'ca'>;

  /** @throws UsageError that names the option */
  constructor(options: ControlClientOptions);
  /** @internal For the broker of this process, see `EmbeddedBroker.control`. */
  constructor(options: ControlClientOptions, inside: InsideControl);
  constructor(options: ControlClientOptions, inside?: InsideControl) {
    assertOptions(options, { options: CHECKS, required: ['endpoint'] });
    const { endpoint, timeoutMs = DEFAULT_TIMEOUT_MS, credentials, ca } = options;
    this.inside = inside;
    this.#access = { ...(credentials && { credentials }), ...(ca && { ca }) };
    this.base = urlOf(endpoint);
    this.timeoutMs = timeoutMs;
  }

  state(options?: CallOptions): Promise<BrokerState> {
    return this.read('/state', {}, options);
  }

  topics(options?: PageOptions): Promise<Page<TopicState>> {
    return this.read('/topics', {}, options);
  }

  groups(options?: PageOptions): Promise<Page<GroupState>> {
    return this.read('/groups', {}, options);
  }

  /** The lag of one group, or of the groups of a page. */
  async lag(options: PageOptions & { readonly group?: string } = {}): Promise<Page<LagState>> {
    assertObject('options', options);
    const { group, ...page } = options;
    return this.read('/lag', { group }, page);
  }

  /** Messages that were delivered to groups and are not settled. */
  async inFlight(
    options: PageOptions & { readonly group?: string; readonly topic?: string; readonly messageId?: string } = {},
  ): Promise<Page<DeliveryState>> {
    assertObject('options', options);
    const { group, topic, messageId, ...page } = options;
    return this.read('/in-flight', { group, topic, messageId }, page);
  }

  /** Delayed messages, the earliest delivery time first. */
  async delayed(
    options: PageOptions & { readonly topic?: string; readonly messageId?: string } = {},
  ): Promise<Page<DelayedMessageState>> {
    assertObject('options', options);
    const { topic, messageId, ...page } = options;
    return this.read('/delayed', { topic, messageId }, page);
  }

  async halfMessages(options: PageOptions & { readonly topic?: string } = {}): Promise<Page<HalfMessageState>> {
    assertObject('options', options);
    const { topic, ...page } = options;
    return this.read('/half-messages', { topic }, page);
  }

  clients(options?: PageOptions): Promise<Page<ClientState>> {
    return this.read('/clients', {}, options);
  }

  /** The visible messages of a topic, consumed or not; optionally only those with an id or a key. */
  async messages(
    topic: string,
    options: PageOptions & { readonly messageId?: string; readonly key?: string } = {},
  ): Promise<Page<VisibleMessageState>> {
    const problem = nonEmptyString(topic);
    if (problem !== undefined) throw rejected('topic', problem);
    assertObject('options', options);
    const { messageId, key, ...page } = options;
    return this.read('/messages', { topic, messageId, key }, page);
  }

  /** Metrics in the text format of Prometheus. */
  async metrics(options: CallOptions = {}): Promise<string> {
    return (await this.ask('GET', '/metrics', undefined, options)).toString();
  }

  /** Makes a delayed message visible now. @throws ControlError `NOT_WAITING` */
  async deliverNow(name: DelayedMessageName, options?: CallOptions): Promise<DeliveredNow> {
    assertObject('name', name);
    return this.change('/deliver-now', name, options);
  }

  /**
   * Delivers a message again to a group that has received it: as a first attempt if it was settled, and without further delay if a
   * retry was due later.
   * @throws ControlError `MESSAGE_HELD`, `UNKNOWN_TOPIC`, `UNKNOWN_GROUP`, `UNKNOWN_MESSAGE`
   */
  async deliverAgain(name: MessageName, options?: CallOptions): Promise<DeliveredAgainState> {
    assertObject('name', name);
    return this.change('/deliver-again', name, options);
  }

  /** The time of a broker with time travel, and what is due next. @throws ControlError `NO_TIME_TRAVEL` */
  time(options?: CallOptions): Promise<TimeState> {
    return this.read('/time', {}, options);
  }

  /**
   * Moves the time of a broker with time travel ahead: to each moment at which something is due, one after another, and waits until it
   * has happened. Sends several requests if this takes long; `timeoutMs` applies to each of them, and `signal` to all.
   * @throws ControlError `NO_TIME_TRAVEL`, `NOTHING_DUE`, `TIME_MOVING` while another request moves the time; `NOT_QUIET` that names what
   * continues and says how far the time was moved; AdvanceInterruptedError when a later request fails
   */
  async advanceTime(jump: TimeJump, options?: CallOptions): Promise<AdvancedTime> {
    assertObject('jump', jump);
    const { duringWork = false } = jump;
    let reached = await this.change<AdvancedTime>('/time/advance', jump, options);
    let { passed } = reached;
    const { targetMs } = reached;
    while (!reached.done) {
      const rest = { byMs: Math.max(0, targetMs - reached.nowMs), duringWork };
      try {
        reached = await this.change<AdvancedTime>('/time/advance', rest, options);
      } catch (error) {
        throw new AdvanceInterruptedError({ ...reached, targetMs, passed }, error);
      }
      passed += reached.passed;
    }
    return { ...reached, targetMs, passed };
  }

  /** The scheduled faults. */
  async faults(options?: CallOptions): Promise<readonly PendingFault[]> {
    return (await this.read<FaultList>('/faults', {}, options)).items;
  }

  /** Schedules a fault, with the same rules as `broker.faults.add()`. */
  async addFault(rule: FaultRule, options?: CallOptions): Promise<PendingFault> {
    assertObject('rule', rule);
    // The port takes what names no RPC for a refusal of connections.
    if (rule.rpc === undefined) throw rejected('rpc', 'is missing; nothing was changed');
    return this.change('/faults', rule, options);
  }

  /** Refuses connections, like `broker.faults.refuseConnections()`. */
  async refuseConnections(rule: ConnectionFault = {}, options?: CallOptions): Promise<PendingFault> {
    assertObject('rule', rule);
    // With the field of a fault of RPCs it is one for the port.
    assertFields(rule, { times: checkedElsewhere, port: checkedElsewhere });
    return this.change('/faults', rule, options);
  }

  /** Removes one fault by its id, or all. @returns the remaining ones */
  async clearFaults(id?: number, options?: CallOptions): Promise<readonly PendingFault[]> {
    return (await this.change<FaultList>('/faults/clear', { id }, options)).items;
  }

  /** Immediately breaks the open streams of a client, or of all clients. */
  async cutStreams(clientId?: string, options?: CallOptions): Promise<void> {
    await this.change('/cut', { what: 'streams', clientId }, options);
  }

  /** Immediately breaks open connections. @param choice which ones, or their port. Default: all */
  async cutConnections(choice: ConnectionChoice | number = {}, options?: CallOptions): Promise<void> {
    const chosen = typeof choice === 'number' ? { port: choice } : choice;
    assertObject('choice', chosen);
    assertFields(chosen, { port: checkedElsewhere, clientId: checkedElsewhere });
    await this.change('/cut', { what: 'connections', ...chosen }, options);
  }

  /** Immediately makes the broker forget the settings of a client, or of all clients. */
  async loseSettings(clientId?: string, options?: CallOptions): Promise<void> {
    await this.change('/cut', { what: 'settings', clientId }, options);
  }

  private async read<T>(
    path: string,
    query: Readonly<Record<string, string | undefined>>,
    page: PageOptions = {},
  ): Promise<T> {
    assertObject('options', page);
    const { limit, after, ...options } = page;
    const texts = Object.entries({ ...query, after }).filter(([, value]) => value !== undefined);
    for (const [name, value] of texts) {
      const problem = anyString(value);
      if (problem !== undefined) throw rejected(name, problem);
    }
    const given = Object.entries({ ...query, limit: limit?.toString(), after });
    const set = given.filter((entry): entry is [string, string] => entry[1] !== undefined);
    const text = new URLSearchParams(set).toString();
    return this.askJson('GET', text === '' ? path : `${path}?${text}`, undefined, options);
  }

  private async change<T>(path: string, body: object, options: CallOptions = {}): Promise<T> {
    return this.askJson('POST', path, Buffer.from(jsonOf(body)), options);
  }

  private async askJson<T>(...asked: Parameters<ControlClient['ask']>): Promise<T> {
    const [method, path] = asked;
    const answer = parsed<T>(await this.ask(...asked));
    if (answer === undefined) throw notAnswered(this.nameOf(method, path), OK);
    return answer;
  }

  private nameOf(method: string, path: string): string {
    return `${method} ${path} of the control port at ${this.base.host}`;
  }

  private async ask(method: string, path: string, body: Buffer | undefined, options: CallOptions): Promise<Buffer> {
    assertCall(options);
    return withNotedEffects(
      this.nameOf(method, path),
      options.timeoutMs ?? this.timeoutMs,
      options.signal,
      (deadline) => {
        if (this.inside === undefined) return this.exchange({ method, path }, body, deadline);
        if (body !== undefined) deadline.noteEffect();
        return raceAbort(this.inside({ method, path }, body), deadline.signal);
      },
    );
  }

  private async exchange(asked: Asked, body: Buffer | undefined, deadline: Deadline): Promise<Buffer> {
    const { what, signal } = deadline;
    const { credentials, ca } = this.#access;
    const headers = {
      ...(body && { 'content-type': 'application/json', 'content-length': body.length }),
      ...(credentials && { authorization: basic(credentials) }),
    };
    const target = { host: hostOf(this.base), port: this.base.port, agent: false, headers, signal, ...asked };
    try {
      const request = await this.open(target, ca);
      request.once('finish', () => {
        if (body !== undefined) deadline.noteEffect();
      });
      const { status, answer } = await answerTo(request, body);
      if (status === OK) return answer;
      throw rejection(what, status, answer);
    } catch (error) {
      if (signal.aborted) throw reasonOf(signal);
      if (error instanceof ControlError) throw error;
      if (await this.needsTls(error as Error, deadline)) throw tlsNeeded(what, this.base.host, error as Error);
      const { message } = error as Error;
      if (isAnsweredInPlaintext(message)) throw tlsFailure(what, message, error);
      throw brokenCall(what, error as Error, deadline.mayHaveTakenEffect);
    }
  }

  /** A port that serves TLS only closes a plaintext connection without an answer. */
  private async needsTls({ code }: Error & { readonly code?: string }, { signal }: Deadline): Promise<boolean> {
    if (this.base.protocol !== 'http:' || code !== 'ECONNRESET') return false;
    return isTlsOnly({ host: hostOf(this.base), port: Number(this.base.port || 80) }, OPENING, signal);
  }

  /** Loaded on demand: an application that only starts a broker does not need them. */
  private async open(target: RequestOptions, ca: string | Buffer | undefined): Promise<ClientRequest> {
    if (this.base.protocol === 'http:') return (await import('node:http')).request(target);
    return (await import('node:https')).request({ ...target, ca });
  }
}

interface Asked {
  readonly method: string;
  readonly path: string;
}

function answerTo(request: ClientRequest, body: Buffer | undefined): Promise<{ status: number; answer: Buffer }> {
  return new Promise((resolve, reject) => {
    request.once('error', reject);
    // The end of all: an answer that switches to another protocol is neither an error nor a response.
    request.once('close', () => reject(new Error('the connection was closed')));
    request.once('response', (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > MAX_ANSWER_BYTES)
          response.destroy(new Error(`the answer is larger than ${MAX_ANSWER_BYTES} bytes`));
        else chunks.push(chunk);
      });
      response.once('error', reject);
      response.once('end', () => resolve({ status: response.statusCode ?? 0, answer: Buffer.concat(chunks) }));
    });
    request.end(body);
  });
}

function urlOf(endpoint: string): URL {
  const [, scheme = 'http', rest = ''] = /^(?:(https?):\/\/)?(.*?)\/?$/is.exec(endpoint) ?? [];
  const addresses = readAddresses(rest, rejectedEndpoint);
  const text = `${scheme}://${addresses.map(addressText).join(';')}`;
  if (addresses.length === 1 && URL.canParse(text) && new URL(text).search === '') return new URL(text);
  throw rejectedEndpoint(shownAddress(endpoint), 'it must be one address');
}

function rejectedEndpoint(shown: string, problem: string): UsageError {
  const wanted = 'http://HOST:PORT, https://HOST:PORT or HOST:PORT';
  const text = `the endpoint of a control port is ${wanted}, not "${shown}": ${problem}`;
  return new UsageError('ILLEGAL_ENDPOINT', text, 'endpoint');
}

/** @throws UsageError for what has no JSON form, such as a bigint */
function jsonOf(body: object): string {
  try {
    return JSON.stringify(body);
  } catch (cause) {
    const text = 'the request contains a value that JSON cannot represent, such as a bigint; nothing was sent';
    throw new UsageError('ILLEGAL_OPTION', text, undefined, { cause });
  }
}

function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}

function basic({ accessKey, secretKey }: { readonly accessKey: string; readonly secretKey: string }): string {
  return `Basic ${Buffer.from(`${accessKey}:${secretKey}`).toString('base64')}`;
}

function brokenCall(what: string, error: Error & { readonly code?: string }, mayBeDone: boolean): TransportError {
  const effect = mayBeDone ? 'it may have taken effect; check before you repeat it' : 'nothing was changed';
  const problem = error.code?.startsWith(NOT_HTTP) ? 'the server does not speak HTTP/1.1' : error.message;
  const message = `${what} got no answer (${problem}); ${effect}; check that a broker with a control port is running there`;
  return new TransportError('UNAVAILABLE', message, mayBeDone ? 'unknown' : 'not-sent', true, { cause: error });
}

function tlsNeeded(what: string, host: string, cause: Error): TransportError {
  const text = `${what}: the server accepts TLS only; nothing was sent; set the endpoint to https://${host}, and \`ca\` to its certificate`;
  return new TransportError('TLS_FAILED', text, 'not-sent', false, { cause });
}

function rejection(what: string, status: number, answer: Buffer): ControlError {
  const { code, message } = parsed<{ code?: unknown; message?: unknown }>(answer) ?? {};
  if (typeof code === 'string') return new ControlError(code, `${what}: ${String(message)}`, status);
  return notAnswered(what, status);
}

function notAnswered(what: string, status: number): ControlError {
  const text = `${what} was answered with status ${status}, but not by a control port`;
  return new ControlError('NO_CONTROL_PORT', text, status);
}

/** The object of the answer; undefined for anything else. */
function parsed<T>(answer: Buffer): T | undefined {
  try {
    const value: unknown = JSON.parse(answer.toString());
    return typeof value === 'object' && value !== null ? (value as T) : undefined;
  } catch {
    return undefined;
  }
}
