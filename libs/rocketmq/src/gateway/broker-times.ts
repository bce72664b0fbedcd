// The time that polls name. A broker compares it with its own clock.

import { RESPONSE_CODES } from '../protocol/remoting/codes.js';
import type { RemotingFrame } from '../protocol/remoting/frame.js';
import { realTimeIn } from '../support/deadline.js';

/** Makes a broker use its own time. */
const OWN_TIME = '0';

/**
 * Which time the polls of each broker name. Brokers use their own, but those of 5.3 with access control 2.0, whose check reads the
 * request before that, and which then take every poll for one that has waited since 1970.
 * @see PopMessageProcessor and DefaultAuthorizationContextBuilder of the server
 */
export class BrokerTimes {
  /** How far the clocks of brokers that need a time are ahead, as far as that is known. */
  private readonly aheadMs = new Map<string, number>();

  bornTime(address: string): string {
    const aheadMs = this.aheadMs.get(address);
    return aheadMs === undefined ? OWN_TIME : String(realTimeIn(aheadMs).getTime());
  }

  /** Whether the broker needs a time, which the next poll names. */
  isToBeRepeated(address: string, answer: RemotingFrame): boolean {
    if (!isTooOld(answer) || this.aheadMs.has(address)) return false;
    this.aheadMs.set(address, 0);
    return true;
  }

  /** An answer with messages says when the broker handed them out. */
  learn(address: string, { code, fields }: RemotingFrame): void {
    if (code !== RESPONSE_CODES.success || !this.aheadMs.has(address)) return;
    const popTimeMs = Number(fields.popTime);
    if (popTimeMs > 0) this.aheadMs.set(address, popTimeMs - realTimeIn(0).getTime());
  }
}

/** Whether the broker rejected the poll because its time is over. An answer without messages has the same code. */
export function isTooOld({ code, remark }: RemotingFrame): boolean {
  return code === RESPONSE_CODES.pollingTimeout && remark.includes('timeout too much');
}
