// What a consumer does when the server had messages for it and delivered none: by attempts that may have been changed since it was asked for
// the settings of the group, the server may have dead-lettered them.

import { EVERY_MESSAGE, type Filter } from '../../protocol/model/filter.js';
import { type Clock, SECOND_MS } from '../../support/clock.js';

/** How often the settings are asked for again at most. Where a filter leaves messages out, nothing may be amiss. */
const ASK_AGAIN_MS = { everything: 10 * SECOND_MS, filtered: 30 * SECOND_MS } as const;

export class MissedMessages {
  /** When the settings were asked for because messages were missing. */
  private askedAtMs = Number.NEGATIVE_INFINITY;

  /** @param refresh asks for the settings */
  constructor(
    private readonly ioClock: Pick<Clock, 'monotonicMs'>,
    private readonly refresh: () => Promise<void>,
  ) {}

  /** @param filter of the topic; undefined for everything */
  noticed(filter: Filter | undefined): void {
    const isFiltered = filter !== undefined && filter.expression !== EVERY_MESSAGE.expression;
    const nowMs = this.ioClock.monotonicMs();
    if (nowMs - this.askedAtMs < ASK_AGAIN_MS[isFiltered ? 'filtered' : 'everything']) return;
    this.askedAtMs = nowMs;
    // A server that rejects them ends the session, which is reported; one that does not answer is asked again later.
    void this.refresh().catch(() => {});
  }
}
