// Scripted faults: what fails, at which RPC, how often. Matched in the order in which they were added; nothing is random.

import { Code } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { type RpcName, rpcNames } from '../../protocol/grpc/rpc.js';
import { UsageError } from '../../support/errors.js';
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

/** The effect of a fault. A client by remoting has no streams but its connection, and its heartbeats are its settings. */
export type FaultAction =
  /** Answers with this code instead of executing the call; after it, with one that says that the message is stored (`Durability`). */
  | { readonly kind: 'answer'; readonly code: keyof typeof Code; readonly message?: string }
  /** Waits this long, in real milliseconds, before executing the call. */
  | { readonly kind: 'delay'; readonly delayMs: number }
  /**
   * Executes the call, then drops the answer: the client sees gRPC UNAVAILABLE, one by remoting waits until its own timeout. For telemetry:
   * no reply to the settings.
   */
  | { readonly kind: 'dropResponse' }
  /** Breaks all streams of the client (telemetry and long polls) and this call, before executing it. */
  | { readonly kind: 'cutStreams' }
  /** Forgets the client's settings before executing the call, as a restarted proxy does. Its streams stay open. */
  | { readonly kind: 'loseSettings' };

export interface FaultRule {
  /**
   * For `telemetry` a rule counts settings commands, for every other RPC calls. It also affects requests by remoting that mean the same, such as
   * pulls and POP for `receiveMessage`, and heartbeats for `telemetry`. `pullMessage`, `updateOffset`, `getOffset` and `queryOffset` are
   * made by remoting only.
   */
  readonly rpc: RpcName;
  /** The effect on the call. */
  readonly action: FaultAction;
  /** The number of calls that it affects. Default 1. */
  readonly times?: number;
  /** Affects only calls of this client. Default: of any client. One by remoting is known from its first heartbeat on. */
  readonly clientId?: string;
}

/** Refused connections. */
export interface ConnectionFault {
  /** The number of connections. Default: all, until the fault is removed. */
  readonly times?: number;
  /** Refuses only connections to this port of the broker. Default: to any port. */
  readonly port?: number;
}

/** Connections to break. */
export interface ConnectionChoice {
  /** Only those to this port of the broker. Default: to any port. */
  readonly port?: number;
  /** Only those of this client: one with its streams, or with its heartbeats. Default: of any client. */
  readonly clientId?: string;
}

const MAX_PORT = 65_535;

/** The RPCs of which this broker serves only what clients by remoting send instead. */
const BY_REMOTING_ONLY: ReadonlySet<RpcName> = new Set(['pullMessage', 'updateOffset', 'getOffset', 'queryOffset']);

/** A real server says these of messages that it has stored, and of nothing else. */
const SAID_OF_STORED: ReadonlySet<Code> = new Set([
  Code.MASTER_PERSISTENCE_TIMEOUT,
  Code.SLAVE_PERSISTENCE_TIMEOUT,
  Code.HA_NOT_AVAILABLE,
]);

/** Whether an answer says that the message is stored: the call is then executed. */
export function saysStored({ code }: FaultAction & { readonly kind: 'answer' }): boolean {
  return SAID_OF_STORED.has(Code[code]);
}

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
const CHOICE_CHECKS: OptionChecks<ConnectionChoice> = { port: integerFrom(1, MAX_PORT), clientId: nonEmptyString };

/** The effects of faults on a running broker. Without an argument they affect all. */
interface FaultTargets {
  breakStreams(clientId: string | undefined): void;
  breakConnections(choice: ConnectionChoice): void;
  forgetSettings(clientId: string | undefined): void;
  /** Whether clients by remoting can connect. */
  hasRemoting(): boolean;
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
  private rejections: Active<ConnectionFault>[] = [];
  private lastId = 0;

  constructor(private readonly targets: FaultTargets) {}

  /** Adds a fault. @returns removes it @throws UsageError that names the field; nothing was added */
  add(rule: FaultRule): TakeAway {
    assertOptions(rule, { options: RULE_CHECKS, required: ['rpc', 'action'] }, 'fault: ');
    const { rpc } = rule;
    if (BY_REMOTING_ONLY.has(rpc) && !this.targets.hasRemoting()) {
      const problem = `${rpc} is a request of clients by remoting, and this broker has no name server port`;
      throw new UsageError('ILLEGAL_OPTION', `fault: rpc ${problem}; nothing was added`, 'rpc');
    }
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
    this.rejections.push({ id, rule, left: rule.times ?? Number.POSITIVE_INFINITY });
    return Object.assign(() => void this.remove(id), { id });
  }

  /** The scheduled faults, in the order in which they were added. */
  list(): PendingFault[] {
    const rules = this.rules.map(({ id, rule, left }): PendingFault => ({ id, kind: 'rpc', rule, left: finite(left) }));
    const rejections = this.rejections.map(({ id, rule, left }): PendingFault => {
      return { id, kind: 'connections', rule, left: finite(left) };
    });
    return [...rules, ...rejections].sort((a, b) => a.id - b.id);
  }

  /** Removes one fault. @returns whether it was still scheduled */
  remove(id: number): boolean {
    const before = this.rules.length + this.rejections.length;
    this.rules = this.rules.filter((active) => active.id !== id);
    this.rejections = this.rejections.filter((active) => active.id !== id);
    return this.rules.length + this.rejections.length < before;
  }

  /** Removes all faults. */
  clear(): void {
    this.rules = [];
    this.rejections = [];
  }

  /**
   * Immediately breaks the open streams of a client, or of all clients: telemetry and long polls end with UNAVAILABLE. Clients by remoting
   * lose their connections.
   */
  cutStreams(clientId?: string): void {
    this.targets.breakStreams(clientId);
  }

  /**
   * Immediately breaks open connections, as when the network is lost.
   * @param choice which ones, or their port. Default: all
   * @throws UsageError that names the field; nothing was broken
   */
  cutConnections(choice: ConnectionChoice | number = {}): void {
    const chosen = typeof choice === 'number' ? { port: choice } : choice;
    assertOptions(chosen, { options: CHOICE_CHECKS }, 'cutConnections: ');
    this.targets.breakConnections(chosen);
  }

  /** Immediately forgets the settings of a client, or of all clients. */
  loseSettings(clientId?: string): void {
    this.targets.forgetSettings(clientId);
  }

  /** Whether to serve a new connection; this call uses up a rejection. */
  admitsConnection(port: number): boolean {
    const found = this.rejections.find(({ rule }) => (rule.port ?? port) === port);
    if (found === undefined) return true;
    this.use(found);
    return false;
  }

  /** Whether a fault of calls is scheduled. */
  get hasRules(): boolean {
    return this.rules.length > 0;
  }

  /** The fault for this call; this call uses it up. */
  take(rpc: RpcName, clientId: string): FaultAction | undefined {
    return this.hasRules ? this.takeFor([rpc], [clientId]) : undefined;
  }

  /** The same for a call that means several RPCs, of a connection of several clients, or of one that is not known. */
  takeFor(rpcs: readonly RpcName[], clientIds: readonly string[]): FaultAction | undefined {
    const found = this.rules.find(({ rule: { rpc, clientId } }) => {
      return rpcs.includes(rpc) && (clientId === undefined || clientIds.includes(clientId));
    });
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
