// Commands of operators to a client, and its answers, which arrive on its telemetry stream.

import type { TelemetryCommand } from '../../protocol/grpc/generated/apache/rocketmq/v2/service.js';
import { type Clock, SECOND_MS } from '../../support/clock.js';

/** How long a client may take (`grpcProxyRelayRequestTimeoutInSeconds`). Real time. */
const ANSWER_MS = 5 * SECOND_MS;

/** The client that a command is for. */
interface CommandTarget {
  readonly clientId: string;
  /** Writes to its telemetry stream; undefined without one. */
  readonly push: ((command: TelemetryCommand) => void) | undefined;
}

interface PendingCommand {
  readonly clientId: string;
  resolve(answer: TelemetryCommand | undefined): void;
}

/** The commands that are not answered yet. */
export class ClientCommands {
  private readonly pending = new Map<string, PendingCommand>();
  private count = 0;

  constructor(private readonly realClock: Clock) {}

  /** @returns undefined when the client has no telemetry stream, or does not answer in time */
  ask(
    { clientId, push }: CommandTarget,
    command: (nonce: string) => TelemetryCommand,
  ): Promise<TelemetryCommand | undefined> {
    if (push === undefined) return Promise.resolve(undefined);
    const nonce = String(++this.count);
    return new Promise((resolve) => {
      const late = this.realClock.schedule(ANSWER_MS, () => this.end(nonce, undefined));
      this.pending.set(nonce, {
        clientId,
        resolve: (answer) => {
          late.cancel();
          resolve(answer);
        },
      });
      push(command(nonce));
    });
  }

  /** Another client's answer does not count. */
  answered(clientId: string, nonce: string, answer: TelemetryCommand): void {
    if (this.pending.get(nonce)?.clientId === clientId) this.end(nonce, answer);
  }

  /** Waits for no answers any more. */
  close(): void {
    for (const nonce of [...this.pending.keys()]) this.end(nonce, undefined);
  }

  private end(nonce: string, answer: TelemetryCommand | undefined): void {
    const command = this.pending.get(nonce);
    this.pending.delete(nonce);
    command?.resolve(answer);
  }
}
