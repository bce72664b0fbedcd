// Who looks, what they may do, and what time it is at the brokers.

import { signal } from '@preact/signals';
import type { Action, Session } from '../types.js';
import { type ApiError, get } from './api.js';

export const session = signal<Session | undefined>(undefined);
export const sessionError = signal<ApiError | undefined>(undefined);

/** How far the brokers' clock is ahead of this browser's. */
const aheadMs = signal(0);
/** The brokers' now, each second. */
export const nowMs = signal(Date.now());

export function brokerNow(): number {
  return Date.now() + aheadMs.value;
}

export function setBrokerNow(ms: number): void {
  aheadMs.value = ms - Date.now();
  nowMs.value = ms;
}

export function may(action: Action): boolean {
  return session.value?.actions.includes(action) === true;
}

/** Reads the session, and again until the server answers. */
export async function startSession(): Promise<void> {
  setInterval(() => {
    if (!document.hidden) nowMs.value = brokerNow();
  }, 1_000);
  while (session.value === undefined) {
    try {
      const answer = await get<Session>('session', new AbortController().signal);
      if (!answer.has.time) setBrokerNow(answer.nowMs);
      session.value = answer;
      sessionError.value = undefined;
    } catch (error) {
      sessionError.value = error as ApiError;
      await new Promise((resolve) => setTimeout(resolve, 2_000));
    }
  }
}
