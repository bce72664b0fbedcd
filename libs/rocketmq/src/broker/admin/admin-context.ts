// What admin requests use, and how they are listed.

import type { RemotingFrame } from '../../protocol/remoting/frame.js';
import type { Clock } from '../../support/clock.js';
import type { Engine } from '../engine/engine.js';
import type { Sessions } from '../services/sessions.js';
import type { Store } from '../store/store.js';
import type { ClientTime } from '../time/client-time.js';
import type { AdminAnswer } from './admin-answer.js';

export interface AdminContext {
  readonly engine: Engine;
  readonly store: Store;
  /** Business time. */
  readonly clock: Clock;
  /** Converts the moments in requests and answers. */
  readonly clientTime: ClientTime;
  readonly sessions: Sessions;
  /** The address of the broker for clients of the remoting protocol, as `host:port`. */
  address(): string;
  /** The release that the broker states: see `RemotingFrame.version`. */
  release(): number;
}

/** Answers the requests of one code; throws an AdminRejection to reject one. */
export type RequestHandler = (request: RemotingFrame) => AdminAnswer | Promise<AdminAnswer>;

/** The handlers by request code. */
export type RequestTable = readonly (readonly [code: number, handler: RequestHandler])[];
