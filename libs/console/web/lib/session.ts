// Who looks, what they may do, and what time it is.

import { signal } from '@preact/signals';
import type { Action, Session } from '../types.js';
import { type ApiError, get } from './api.js';

export const session = signal<Session | undefined>(undefined);
export const sessionError = signal<ApiError | undefined>(undefined);

/** How far the clock of the server is ahead of this browser's. */
let aheadMs = 0;
/** The server's now, each second: all times of messages are by it, also where the clock of an embedded broker was moved. */
export const nowMs = signal(Date.now());
/** How far the clock of an embedded broker was moved ahead of it. */
export const movedMs = signal(0);

export function serverNow(): number {
  return Date.now() + aheadMs;
}

export function setServerNow(ms: number): void {
  aheadMs = ms - Date.now();
  nowMs.value = ms;
}

export function may(action: Action): boolean {
  return session.value?.actions.includes(action) === true;
}

/** Reads the session, and again until the server answers. */
export async function startSession(): Promise<void> {
  setInterval(() => {
    if (!document.hidden) nowMs.value = serverNow();
  }, 1_000);
  while (session.value === undefined) {
    try {
      const answer = await get<Session>('session', new AbortController().signal);
      setServerNow(answer.nowMs);
      session.value = answer;
      sessionError.value = undefined;
    } catch (error) {
      sessionError.value = error as ApiError;
      await new Promise((resolve) => setTimeout(resolve, 2_000));
    }
  }
}
