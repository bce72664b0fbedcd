// What a scripted fault does to one call: before it is executed, and to its answer. Which call it affects is decided in faults.ts.

import { Code } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { sleep } from '../../support/clock.js';
import { GrpcError } from '../../support/grpc/status.js';
import type { BrokerContext } from './broker-context.js';
import { type FaultAction, saysStored } from './faults.js';
import { AnswerError } from './status.js';

type AnswerFault = FaultAction & { readonly kind: 'answer' };

export class CallFaults {
  /** @param stopping aborts when the broker stops: a call that is delayed is not executed then */
  constructor(
    private readonly broker: Pick<BrokerContext, 'faults' | 'realClock'>,
    private readonly stopping: AbortSignal,
  ) {}

  /** @returns the fault if it takes effect after the call was executed @throws what the call fails with instead of being executed */
  async before(fault: FaultAction, clientId: string): Promise<FaultAction | undefined> {
    const { faults, realClock } = this.broker;
    switch (fault.kind) {
      case 'answer':
        if (saysStored(fault)) return fault;
        throw scriptedAnswer(fault);
      case 'delay':
        await sleep(realClock, fault.delayMs, this.stopping);
        return undefined;
      case 'cutStreams':
        faults.cutStreams(clientId);
        throw new GrpcError('unavailable', 'stream cut by a fault');
      case 'loseSettings':
        faults.loseSettings(clientId);
        return undefined;
      default:
        return fault;
    }
  }
}

/** @throws GrpcError when the fault drops the answer of the call */
export function assertKept(fault: FaultAction | undefined): void {
  if (fault?.kind === 'dropResponse') throw new GrpcError('unavailable', 'answer dropped by a fault');
}

export function scriptedAnswer({ code, message = 'scripted fault' }: AnswerFault): AnswerError {
  return new AnswerError(Code[code], message);
}
