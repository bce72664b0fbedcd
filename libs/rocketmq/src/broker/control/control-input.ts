// Reads the fields of a request to the control port, and reports the name of an invalid one.

import { Code } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { rpcNames } from '../../protocol/grpc/rpc.js';
import { isIntegerFrom } from '../../support/options.js';
import type { ConnectionChoice, ConnectionFault, FaultAction, FaultRule } from '../services/faults.js';
import { ControlRejection, illegal } from './control-rejection.js';

/** The longest string that is accepted: names are shorter, but recall handles and message ids may be long. */
const MAX_TEXT_LENGTH = 4_096;
/** The longest name of a topic or group. */
const MAX_NAME_LENGTH = 512;
/** The longest delay of a fault. */
const MAX_DELAY_MS = 10 * 60_000;
const MAX_HITS = 1_000_000;

/** Fields by name: strings from a query, JSON values from a body. */
export class Fields {
  private readonly read = new Set<string>();

  /** @param place a prefix of names in errors, for instance `action.` */
  constructor(
    private readonly values: Readonly<Record<string, unknown>>,
    private readonly place = '',
  ) {}

  static ofQuery(query: URLSearchParams): Fields {
    for (const name of new Set(query.keys())) {
      if (query.getAll(name).length > 1) throw illegal(name, 'is given twice');
    }
    return new Fields(Object.fromEntries(query));
  }

  static ofBody(body: unknown, place = ''): Fields {
    if (typeof body === 'object' && body !== null && !Array.isArray(body)) {
      return new Fields(body as Record<string, unknown>, place === '' ? '' : `${place}.`);
    }
    throw illegal(place === '' ? 'the body' : place, 'must be a JSON object');
  }

  has(name: string): boolean {
    return Object.hasOwn(this.values, name);
  }

  /** Undefined when it is missing. */
  text(name: string, longest = MAX_TEXT_LENGTH): string | undefined {
    const value = this.value(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'string' || value === '') throw illegal(this.place + name, 'must be a non-empty string');
    if (value.length > longest) throw illegal(this.place + name, `is longer than ${longest} characters`);
    return value;
  }

  requiredText(name: string): string {
    return this.text(name) ?? this.missing(name);
  }

  /** The name of a topic or a group; undefined when it is missing. */
  name(field: string): string | undefined {
    return this.text(field, MAX_NAME_LENGTH);
  }

  requiredName(field: string): string {
    return this.name(field) ?? this.missing(field);
  }

  /** An integer; undefined when it is missing. */
  count(name: string, { from, to }: { readonly from: number; readonly to: number }): number | undefined {
    const value = this.value(name);
    if (value === undefined) return undefined;
    const isText = typeof value === 'string' && /^\d{1,16}$/.test(value);
    const count = isText ? Number(value) : value;
    if (isIntegerFrom(count, from, to)) return count;
    throw illegal(this.place + name, `must be an integer from ${from} to ${to}`);
  }

  requiredCount(name: string, range: { readonly from: number; readonly to: number }): number {
    return this.count(name, range) ?? this.missing(name);
  }

  /** True or false; undefined when it is missing. */
  flag(name: string): boolean | undefined {
    const value = this.value(name);
    if (value === undefined || typeof value === 'boolean') return value;
    throw illegal(this.place + name, 'must be true or false');
  }

  /** The fields of an object. */
  object(name: string): Fields {
    return Fields.ofBody(this.value(name) ?? this.missing(name), this.place + name);
  }

  /** @throws ControlRejection for an unknown field, which may be a misspelled one */
  end(): void {
    const unknown = Object.keys(this.values).find((name) => !this.read.has(name));
    if (unknown === undefined) return;
    const known = [...this.read].map((name) => this.place + name).join(', ');
    throw illegal(this.place + unknown, `is unknown; the fields are ${known}`);
  }

  private value(name: string): unknown {
    this.read.add(name);
    return Object.hasOwn(this.values, name) ? this.values[name] : undefined;
  }

  private missing(name: string): never {
    throw illegal(this.place + name, 'is missing');
  }
}

/** A rule for an RPC. */
export function faultRuleOf(fields: Fields): FaultRule {
  const rpc = fields.requiredText('rpc');
  const known = rpcNames().find((name) => name === rpc);
  if (known === undefined) throw illegal('rpc', `must be one of ${rpcNames().join(', ')}`);
  const action = faultActionOf(fields.object('action'));
  const times = fields.count('times', { from: 1, to: MAX_HITS });
  const clientId = fields.text('clientId');
  fields.end();
  return { rpc: known, action, ...(times && { times }), ...(clientId && { clientId }) };
}

/** Refused connections. */
export function connectionFaultOf(fields: Fields): ConnectionFault {
  const times = fields.count('times', { from: 1, to: MAX_HITS });
  const port = fields.count('port', { from: 1, to: 65_535 });
  fields.end();
  return { ...(times && { times }), ...(port && { port }) };
}

/** Connections to break. */
export function connectionChoiceOf(fields: Fields): ConnectionChoice {
  const port = fields.count('port', { from: 1, to: 65_535 });
  const clientId = fields.text('clientId');
  fields.end();
  return { ...(port && { port }), ...(clientId && { clientId }) };
}

function faultActionOf(fields: Fields): FaultAction {
  const kind = fields.requiredText('kind');
  switch (kind) {
    case 'answer': {
      const code = fields.requiredText('code');
      if (!isCode(code)) throw illegal('action.code', 'must be the name of a code of the protocol');
      const message = fields.text('message');
      fields.end();
      return { kind, code, ...(message && { message }) };
    }
    case 'delay': {
      const delayMs = fields.requiredCount('delayMs', { from: 0, to: MAX_DELAY_MS });
      fields.end();
      return { kind, delayMs };
    }
    case 'dropResponse':
    case 'cutStreams':
    case 'loseSettings':
      fields.end();
      return { kind };
    default:
      throw illegal('action.kind', 'must be one of answer, delay, dropResponse, cutStreams, loseSettings');
  }
}

function isCode(name: string): name is keyof typeof Code {
  return Object.hasOwn(Code, name) && typeof Code[name as keyof typeof Code] === 'number' && name !== 'UNRECOGNIZED';
}

/** @throws ControlRejection unless it is JSON */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ControlRejection(400, 'NOT_JSON', 'the body is not JSON');
  }
}
