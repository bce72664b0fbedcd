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
  | { readonly kind: 'cutStreams' };

export interface FaultRule {
  /** For `telemetry` a rule counts each settings command, for every other RPC each call. */
  readonly rpc: RpcName;
  readonly action: FaultAction;
  /** How many calls it hits. Default 1. */
  readonly times?: number;
  /** Only calls of this client. Default: of any. */
  readonly clientId?: string;
}

interface ActiveRule {
  readonly rule: FaultRule;
  left: number;
}

/** The faults still to come. */
export class Faults {
  private rules: ActiveRule[] = [];

  /** @param breakStreams ends the open streams of a client, or of all */
  constructor(private readonly breakStreams: (clientId: string | undefined) => void) {}

  /** Adds a fault. @returns what takes it away again */
  add(rule: FaultRule): () => void {
    const active: ActiveRule = { rule, left: rule.times ?? 1 };
    this.rules.push(active);
    return () => {
      this.rules = this.rules.filter((other) => other !== active);
    };
  }

  /** Takes all faults away. */
  clear(): void {
    this.rules = [];
  }

  /** Breaks the open streams of a client, or of all clients, at once: telemetry and long polls end with UNAVAILABLE. */
  cutStreams(clientId?: string): void {
    this.breakStreams(clientId);
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
