// Scripted faults: what fails, at which RPC, how often. Matched in the order in which they were added; nothing is random.

import { Code } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { type RpcName, rpcNames } from '../../protocol/grpc/rpc.js';
import {
  anyObject,
  assertOptions,
  type Check,
  checkedElsewhere,
  type DeepCheck,
  describe,
  faultIn,
  integerFrom,
  nonEmptyString,
  notNegative,
  type ObjectChecks,
  type OptionChecks,
  oneOf,
  positiveInteger,
} from '../../support/options.js';

/** The effect of a fault. */
export type FaultAction =
  /** Answers with this code instead of executing the call; after it, with one that says that the message is stored (`Durability`). */
  | { readonly kind: 'answer'; readonly code: keyof typeof Code; readonly message?: string }
  /** Waits this long, in real milliseconds, before executing the call. */
  | { readonly kind: 'delay'; readonly delayMs: number }
  /** Executes the call, then drops the answer: the client sees gRPC UNAVAILABLE. For telemetry: no reply to the settings. */
  | { readonly kind: 'dropResponse' }
  /** Breaks all streams of the client (telemetry and long polls) and this call, before executing it. */
  | { readonly kind: 'cutStreams' }
  /** Forgets the client's settings before executing the call, as a restarted proxy does. Its streams stay open. */
  | { readonly kind: 'loseSettings' };

export interface FaultRule {
  /** For `telemetry` a rule counts settings commands, for every other RPC calls. */
  readonly rpc: RpcName;
  /** The effect on the call. */
  readonly action: FaultAction;
  /** The number of calls that it affects. Default 1. */
  readonly times?: number;
  /** Affects only calls of this client. Default: of any client. */
  readonly clientId?: string;
}

/** Refused connections. */
export interface ConnectionFault {
  /** The number of connections. Default: all, until the fault is removed. */
  readonly times?: number;
  /** Refuses only connections to this port of the broker. Default: to any port. */
  readonly port?: number;
}

const MAX_PORT = 65_535;

const codeName: Check = (value) =>
  typeof value === 'string' && typeof Code[value as keyof typeof Code] === 'number' && value !== 'UNRECOGNIZED'
    ? undefined
    : `must be the name of a code of the protocol, not ${describe(value)}`;

/** The fields of each action beside its kind. */
const ACTIONS: Readonly<Record<FaultAction['kind'], ObjectChecks>> = {
  answer: { options: { kind: checkedElsewhere, code: codeName, message: nonEmptyString }, required: ['code'] },
  delay: { options: { kind: checkedElsewhere, delayMs: notNegative }, required: ['delayMs'] },
  dropResponse: { options: { kind: checkedElsewhere } },
  cutStreams: { options: { kind: checkedElsewhere } },
  loseSettings: { options: { kind: checkedElsewhere } },
};

const actionOf: DeepCheck = (value) => {
  const wrong = anyObject(value);
  if (wrong !== undefined) return wrong;
  const { kind } = value as FaultAction;
  const problem = oneOf(...Object.keys(ACTIONS))(kind);
  return problem === undefined ? faultIn(value as object, ACTIONS[kind]) : { field: 'kind', problem };
};

const count: Check = (value) => (value === Number.POSITIVE_INFINITY ? undefined : positiveInteger(value));

/** A misspelled rule would never take effect, and the test that relies on it pass. */
const RULE_CHECKS: OptionChecks<FaultRule> = {
  rpc: oneOf(...rpcNames()),
  action: actionOf,
  times: count,
  clientId: nonEmptyString,
};
const CONNECTION_CHECKS: OptionChecks<ConnectionFault> = { times: count, port: integerFrom(1, MAX_PORT) };

/** The effects of faults on a running broker. Without an argument they affect all. */
interface FaultTargets {
  breakStreams(clientId: string | undefined): void;
  breakConnections(port: number | undefined): void;
  forgetSettings(clientId: string | undefined): void;
}

/** Removes a fault. */
export interface TakeAway {
  (): void;
  /** The number of the fault, as in {@link Faults.list}. */
  readonly id: number;
}

/** A scheduled fault. */
export type PendingFault = {
  readonly id: number;
  /** How many more times it takes effect; undefined: until it is removed. */
  readonly left: number | undefined;
} & (
  | { readonly kind: 'rpc'; readonly rule: FaultRule }
  | { readonly kind: 'connections'; readonly rule: ConnectionFault }
);

interface Active<T> {
  readonly id: number;
  readonly rule: T;
  left: number;
}

/** The scheduled faults. */
export class Faults {
  private rules: Active<FaultRule>[] = [];
  private refusals: Active<ConnectionFault>[] = [];
  private lastId = 0;

  constructor(private readonly targets: FaultTargets) {}

  /** Adds a fault. @returns removes it @throws UsageError that names the field; nothing was added */
  add(rule: FaultRule): TakeAway {
    assertOptions(rule, { options: RULE_CHECKS, required: ['rpc', 'action'] }, 'fault: ');
    const id = ++this.lastId;
    this.rules.push({ id, rule, left: rule.times ?? 1 });
    return Object.assign(() => void this.remove(id), { id });
  }

  /**
   * Refuses connections: closes them on accept, before a byte is read. Open connections stay.
   * @returns removes the fault
   * @throws UsageError that names the field; nothing was added
   */
  refuseConnections(rule: ConnectionFault = {}): TakeAway {
    assertOptions(rule, { options: CONNECTION_CHECKS }, 'fault: ');
    const id = ++this.lastId;
    this.refusals.push({ id, rule, left: rule.times ?? Number.POSITIVE_INFINITY });
    return Object.assign(() => void this.remove(id), { id });
  }

  /** The scheduled faults, in the order in which they were added. */
  list(): PendingFault[] {
    const rules = this.rules.map(({ id, rule, left }): PendingFault => ({ id, kind: 'rpc', rule, left: finite(left) }));
    const refusals = this.refusals.map(({ id, rule, left }): PendingFault => {
      return { id, kind: 'connections', rule, left: finite(left) };
    });
    return [...rules, ...refusals].sort((a, b) => a.id - b.id);
  }

  /** Removes one fault. @returns whether it was still scheduled */
  remove(id: number): boolean {
    const before = this.rules.length + this.refusals.length;
    this.rules = this.rules.filter((active) => active.id !== id);
    this.refusals = this.refusals.filter((active) => active.id !== id);
    return this.rules.length + this.refusals.length < before;
  }

  /** Removes all faults. */
  clear(): void {
    this.rules = [];
    this.refusals = [];
  }

  /** Immediately breaks the open streams of a client, or of all clients: telemetry and long polls end with UNAVAILABLE. */
  cutStreams(clientId?: string): void {
    this.targets.breakStreams(clientId);
  }

  /** Immediately breaks the open connections to a port, or all of them, as when the network is lost. */
  cutConnections(port?: number): void {
    this.targets.breakConnections(port);
  }

  /** Immediately forgets the settings of a client, or of all clients. */
  loseSettings(clientId?: string): void {
    this.targets.forgetSettings(clientId);
  }

  /** Whether to serve a new connection; this call uses up a refusal. */
  admitsConnection(port: number): boolean {
    const found = this.refusals.find(({ rule }) => (rule.port ?? port) === port);
    if (found === undefined) return true;
    this.use(found);
    return false;
  }

  /** The fault for this call; this call uses it up. */
  take(rpc: RpcName, clientId: string): FaultAction | undefined {
    if (this.rules.length === 0) return undefined;
    const found = this.rules.find(({ rule }) => rule.rpc === rpc && (rule.clientId ?? clientId) === clientId);
    if (found === undefined) return undefined;
    this.use(found);
    return found.rule.action;
  }

  private use(active: Active<unknown>): void {
    active.left--;
    if (active.left <= 0) this.remove(active.id);
  }
}

function finite(count: number): number | undefined {
  return Number.isFinite(count) ? count : undefined;
}
