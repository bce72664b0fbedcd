// What the requests of clients use, and how they are listed.

import type { RemotingFrame } from '../../protocol/remoting/frame.js';
import type { Clock } from '../../support/clock.js';
import type { AdminAnswer } from '../admin/admin-answer.js';
import type { AdminContext } from '../admin/admin-context.js';
import type { Faults } from '../services/faults.js';
import type { LiteSubscriptions } from '../services/lite-subscriptions.js';
import type { LongPolls } from '../services/long-polls.js';
import type { TransactionChecks } from '../services/transaction-checks.js';
import type { Activity } from '../time/activity.js';
import type { ClientConnection } from './client-connection.js';
import type { RegisteredClients } from './registered-clients.js';
import type { RequestWork } from './request-work.js';

export interface RemotingContext extends AdminContext {
  /** Real time, for pulls that wait, locks and presence. */
  readonly realClock: Clock;
  readonly polls: LongPolls;
  readonly activity: Activity;
  readonly faults: Faults;
  readonly checks: Pick<TransactionChecks, 'answered'>;
  readonly clients: RegisteredClients;
  readonly lite: LiteSubscriptions;
  /** The time from the birth of a half message to its first check. */
  readonly transactionFirstCheckMs: number;
}

/** Answers the requests of one code; undefined for no answer. Throws an AdminRejection to reject one. */
type ClientRequestHandler = (
  request: RemotingFrame,
  connection: ClientConnection,
  work: RequestWork,
) => AdminAnswer | undefined | Promise<AdminAnswer | undefined>;

/** The handlers by request code. */
export type ClientRequestTable = readonly (readonly [code: number, handler: ClientRequestHandler])[];
