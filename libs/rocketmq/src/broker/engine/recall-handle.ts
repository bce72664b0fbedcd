// Recall handles of delayed messages, and the due time in their keys.

import type { Key } from '../store/store.js';
import { Rejection } from './rejection.js';
import { BROKER_NAME } from './server-names.js';

/** The due time in a key of a delayed message (`keys.delayedAt` and a serial). */
export function dueAtOf(key: Key): number {
  return key.at(-2) as number;
}

/** As the real server formats it: URL-safe Base64 of version, topic, broker, due time and message id. */
export function formatRecallHandle(topic: string, dueAtMs: number, messageId: string): string {
  return Buffer.from(`v1 ${topic} ${BROKER_NAME} ${dueAtMs} ${messageId}`).toString('base64url');
}

/** The recall handle of a delayed message. */
export function recallHandleOf(key: Key, messageId: string): string {
  return formatRecallHandle(key[1] as string, dueAtOf(key), messageId);
}

/** @throws Rejection `recall-invalid` */
export function parseRecallHandle(recallHandle: string): { topic: string; dueAtMs: number; messageId: string } {
  const text = Buffer.from(recallHandle, 'base64url').toString();
  const [version, topic, broker, due, ...rest] = text.split(' ');
  const dueAtMs = Number(due);
  const messageId = rest.join(' ');
  const isHandle = version === 'v1' && Number.isFinite(dueAtMs) && messageId !== '';
  if (isHandle && broker !== BROKER_NAME) {
    throw new Rejection(
      'recall-invalid',
      'recall failed, broker service not available: another broker issued the handle',
    );
  }
  if (!isHandle) {
    throw new Rejection('recall-invalid', 'recall handle is invalid: it was not issued by this broker');
  }
  return { topic: topic ?? '', dueAtMs, messageId };
}
