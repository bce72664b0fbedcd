// Pauses a consumer group over all its instances, and resumes it: brokers with `consumeEnable=false` deliver nothing to it. They keep no reason, so
// each name server keeps a note.

import {
  type GroupPause,
  MAX_PAUSE_REASON,
  MAX_PAUSED_BY,
  PAUSE_NOTES,
  pauseNote,
  readPauseNote,
  UNEXPLAINED_PAUSE,
} from '../../protocol/model/group-pause.js';
import { REQUEST_CODES } from '../../protocol/remoting/codes.js';
import type { ClusterAccess } from '../../remoting/cluster-access.js';
import type { RemotingRequest } from '../../remoting/remoting-request.js';
import { SECOND_MS, SystemClock } from '../../support/clock.js';
import type { Deadline } from '../../support/deadline.js';
import { type Check, describe } from '../../support/options.js';
import { checkFields } from '../checks.js';

/** Why a group is paused, and by whom, for people who look for the cause. */
export interface PauseRequest {
  /** 1 to 500 characters. */
  readonly reason: string;
  /** A person or a program, 1 to 100 characters. */
  readonly by: string;
}

/** How long a name server may take to answer: a group is paused with the help of others. */
const NOTE_MS = SECOND_MS;

const textUpTo =
  (most: number): Check =>
  (value) =>
    typeof value === 'string' && value.trim() !== '' && value.length <= most
      ? undefined
      : `must be a string of 1 to ${most} characters that is not blank, not ${typeof value === 'string' && value.length > most ? `one of ${value.length}` : describe(value)}`;

/** @throws UsageError that names the field */
export function checkPause(pause: PauseRequest): void {
  checkFields(pause, { reason: textUpTo(MAX_PAUSE_REASON), by: textUpTo(MAX_PAUSED_BY) });
}

/** The notes about paused groups. Name servers do not replicate, and one may be away: the newest note counts. */
export class PauseNotes {
  private readonly clock = new SystemClock();

  constructor(private readonly cluster: ClusterAccess) {}

  /** @throws the error of the first name server when none has taken it */
  async write(consumerGroup: string, { reason, by }: PauseRequest, deadline: Deadline): Promise<void> {
    const value = pauseNote({ reason, by, sinceMs: this.clock.nowMs() });
    const fields = { namespace: PAUSE_NOTES, key: consumerGroup, value };
    const failures = await this.atEach({ code: REQUEST_CODES.putKvConfig, fields }, deadline);
    if (failures.length === this.cluster.nameServers.length) throw failures[0];
  }

  /** Where it fails, a note stays that nobody looks at: the group is not paused. */
  async remove(consumerGroup: string, deadline: Deadline): Promise<void> {
    const fields = { namespace: PAUSE_NOTES, key: consumerGroup };
    await this.atEach({ code: REQUEST_CODES.deleteKvConfig, fields }, deadline);
  }

  async read(consumerGroup: string, deadline: Deadline): Promise<GroupPause> {
    const request = { code: REQUEST_CODES.getKvConfig, fields: { namespace: PAUSE_NOTES, key: consumerGroup } };
    const notes: GroupPause[] = [];
    await this.atEach(request, deadline, (value) => notes.push(readPauseNote(value)));
    const newest = notes.sort((one, other) => (other.sinceMs ?? 0) - (one.sinceMs ?? 0));
    return newest[0] ?? UNEXPLAINED_PAUSE;
  }

  /** @returns the errors @throws when the caller has aborted */
  private async atEach(
    request: RemotingRequest,
    deadline: Deadline,
    take: (value: string) => void = () => {},
  ): Promise<unknown[]> {
    const failures: unknown[] = [];
    const timeoutMs = Math.min(NOTE_MS, deadline.remainingMs() / 2);
    await this.cluster.atEachNameServer(async (nameServer) => {
      try {
        await deadline.part(timeoutMs, async (own) => {
          const { value } = (await this.cluster.callNameServer(nameServer, request, own)).fields;
          if (value !== undefined) take(value);
        });
      } catch (error) {
        if (deadline.caller?.aborted === true) throw error;
        failures.push(error);
      }
    });
    return failures;
  }
}
