// Scripted faults: what goes wrong, at which RPC, how often. Matched in the order of adding; nothing here is random.

import type { Code } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { RpcName } from '../../protocol/grpc/rpc.js';

/** What goes wrong. */
export type FaultAction =
  /** Answers this code instead of doing the work. */
  | { readonly kind: 'answer'; readonly code: keyof typeof Code; readonly message?: string }
  /** Waits this long, in real time, before doing the work. */
  | { readonly kind: 'delay'; readonly delayMs: number }
  /** Does the work, then loses the answer: the client sees gRPC UNAVAILABLE. Of telemetry: no reply to the settings. */
  | { readonly kind: 'dropResponse' }
  /** Breaks all streams of the client (telemetry and long polls) and this call, before doing the work. */
  | { readonly kind: 'cutStreams' }
  /** Forgets the client's settings before doing the work, as a proxy does that was started again. Its streams stay open. */
  | { readonly kind: 'loseSettings' };

export interface FaultRule {
  /** For `telemetry` a rule counts each settings command, for every other RPC each call. */
  readonly rpc: RpcName;
  /** What becomes of the call. */
  readonly action: FaultAction;
  /** How many calls it hits. Default 1. */
  readonly times?: number;
  /** Only calls of this client. Default: of any. */
  readonly clientId?: string;
}

/** Which connections are refused. */
export interface ConnectionFault {
  /** How many. Default: all, until it is taken away. */
  readonly times?: number;
  /** Only connections to this port of the broker. Default: to any. */
  readonly port?: number;
}

/** What faults do to a running broker. Without an argument: to all. */
export interface FaultTargets {
  breakStreams(clientId: string | undefined): void;
  breakConnections(port: number | undefined): void;
  forgetSettings(clientId: string | undefined): void;
}

/** Takes a fault away again. */
export interface TakeAway {
  (): void;
  /** The fault's number, as {@link Faults.list} tells it. */
  readonly id: number;
}

/** A fault that is still to come. */
export type PendingFault = {
  readonly id: number;
  /** How often it still hits; undefined: until it is taken away. */
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

/** The faults still to come. */
export class Faults {
  private rules: Active<FaultRule>[] = [];
  private refusals: Active<ConnectionFault>[] = [];
  private lastId = 0;

  constructor(private readonly targets: FaultTargets) {}

  /** Adds a fault. @returns what takes it away again */
  add(rule: FaultRule): TakeAway {
    const id = ++this.lastId;
    this.rules.push({ id, rule, left: rule.times ?? 1 });
    return Object.assign(() => void this.remove(id), { id });
  }

  /**
   * Refuses connections: they are broken as soon as they are made, before a byte is read. Those that are open stay.
   * @returns what takes the fault away again
   */
  refuseConnections(rule: ConnectionFault = {}): TakeAway {
    const id = ++this.lastId;
    this.refusals.push({ id, rule, left: rule.times ?? Number.POSITIVE_INFINITY });
    return Object.assign(() => void this.remove(id), { id });
  }

  /** The faults still to come, in the order of adding. */
  list(): PendingFault[] {
    const rules = this.rules.map(({ id, rule, left }): PendingFault => ({ id, kind: 'rpc', rule, left: finite(left) }));
    const refusals = this.refusals.map(({ id, rule, left }): PendingFault => {
      return { id, kind: 'connections', rule, left: finite(left) };
    });
    return [...rules, ...refusals].sort((a, b) => a.id - b.id);
  }

  /** Takes one fault away. @returns whether it was still to come */
  remove(id: number): boolean {
    const before = this.rules.length + this.refusals.length;
    this.rules = this.rules.filter((active) => active.id !== id);
    this.refusals = this.refusals.filter((active) => active.id !== id);
    return this.rules.length + this.refusals.length < before;
  }

  /** Takes all faults away. */
  clear(): void {
    this.rules = [];
    this.refusals = [];
  }

  /** Breaks the open streams of a client, or of all clients, at once: telemetry and long polls end with UNAVAILABLE. */
  cutStreams(clientId?: string): void {
    this.targets.breakStreams(clientId);
  }

  /** Breaks the open connections to a port, or all of them, at once: what a lost network looks like. */
  cutConnections(port?: number): void {
    this.targets.breakConnections(port);
  }

  /** Forgets the settings of a client, or of all clients, at once. */
  loseSettings(clientId?: string): void {
    this.targets.forgetSettings(clientId);
  }

  /** Whether a new connection is served; asking uses a refusal up. */
  admitsConnection(port: number): boolean {
    const found = this.refusals.find(({ rule }) => (rule.port ?? port) === port);
    if (found === undefined) return true;
    this.use(found);
    return false;
  }

  /** The fault for this call, used up by asking. */
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
