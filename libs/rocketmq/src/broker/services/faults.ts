// Scripted faults: what goes wrong, at which RPC, how often. Matched in the order of adding; nothing here is random.

import type { Code } from '../../protocol/generated/apache/rocketmq/v2/definition.js';
import type { RpcName } from '../../protocol/rpc.js';

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

interface Active<T> {
  readonly rule: T;
  left: number;
}

/** The faults still to come. */
export class Faults {
  private rules: Active<FaultRule>[] = [];
  private refusals: Active<ConnectionFault>[] = [];

  constructor(private readonly targets: FaultTargets) {}

  /** Adds a fault. @returns what takes it away again */
  add(rule: FaultRule): () => void {
    const active = { rule, left: rule.times ?? 1 };
    this.rules.push(active);
    return () => {
      this.rules = this.rules.filter((other) => other !== active);
    };
  }

  /**
   * Refuses connections: they are broken as soon as they are made, before a byte is read. Those that are open stay.
   * @returns what takes the fault away again
   */
  refuseConnections(rule: ConnectionFault = {}): () => void {
    const active = { rule, left: rule.times ?? Number.POSITIVE_INFINITY };
    this.refusals.push(active);
    return () => {
      this.refusals = this.refusals.filter((other) => other !== active);
    };
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
    const found = this.refusals.find(({ rule, left }) => left > 0 && (rule.port ?? port) === port);
    if (found === undefined) return true;
    found.left--;
    return false;
  }

  /** The fault for this call, used up by asking. */
  take(rpc: RpcName, clientId: string): FaultAction | undefined {
    const found = this.rules.find(
      ({ rule, left }) => left > 0 && rule.rpc === rpc && (rule.clientId ?? clientId) === clientId,
    );
    if (found === undefined) return undefined;
    found.left--;
    return found.rule.action;
  }
}
