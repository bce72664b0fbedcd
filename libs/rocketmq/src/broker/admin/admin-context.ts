// What the admin requests work on, and how they are listed.

import type { RemotingFrame } from '../../protocol/remoting/frame.js';
import type { Clock } from '../../support/clock.js';
import type { Engine } from '../engine/engine.js';
import type { Sessions } from '../services/sessions.js';
import type { Store } from '../store/store.js';
import type { AdminAnswer } from './admin-answer.js';

export interface AdminContext {
  readonly engine: Engine;
  readonly store: Store;
  /** Business time. */
  readonly clock: Clock;
  readonly sessions: Sessions;
  /** Where the admin port is, as `host:port`: the broker's own address for tools. */
  address(): string;
}

/** Answers the requests of one code; throws an AdminRefusal to refuse. */
export type RequestHandler = (request: RemotingFrame) => AdminAnswer | Promise<AdminAnswer>;

/** What answers each request code. */
export type RequestTable = readonly (readonly [code: number, handler: RequestHandler])[];
