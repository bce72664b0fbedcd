// Requests to the server of the console.

import type { Outcome, Plan } from '../types.js';

interface Rejected {
  readonly code?: string;
  readonly message?: string;
  readonly outcome?: string;
}

/** What the server, or the way to it, answered instead. */
export class ApiError extends Error {
  constructor(
    readonly code: string,
    message: string,
    /** Whether the change took effect, where the server knows. */
    readonly outcome?: string,
  ) {
    super(message);
  }
}

/** @param path below `api/` */
export async function get<T>(path: string, signal: AbortSignal): Promise<T> {
  return answerOf<T>(await reached(fetch(`api/${path}`, { signal, headers: { accept: 'application/json' } })));
}

/** What a change would do. */
export function plan(body: unknown, signal: AbortSignal): Promise<Plan> {
  return post<Plan>('plans', body, signal);
}

/** Carries out what was planned. */
/** @param reason kept in the audit; may be empty */
export function execute({ plan: id }: Plan, reason: string): Promise<Outcome> {
  return post<Outcome>('executions', { plan: id, reason });
}

async function post<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> {
  const headers = { 'content-type': 'application/json', 'x-rocketmq-console': '1' };
  const init = { method: 'POST', headers, body: JSON.stringify(body), signal };
  return answerOf<T>(await reached(fetch(`api/${path}`, init)));
}

async function reached(asked: Promise<Response>): Promise<Response> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError('UNREACHABLE', 'The server of the console does not answer.');
  }
}

async function answerOf<T>(response: Response): Promise<T> {
  const isJson = response.headers.get('content-type')?.startsWith('application/json') === true;
  const body = isJson ? ((await response.json()) as { readonly error?: Rejected }) : undefined;
  if (response.ok && body !== undefined) return body as T;
  const { code = 'FAILED', message = textOf(response.status), outcome } = body?.error ?? {};
  throw new ApiError(code, message, outcome);
}

/** An answer that is not the console's own. */
function textOf(status: number): string {
  if (status === 413)
    return 'This is larger than the application accepts: its body parser has a limit. Nothing was changed.';
  return `The server answered ${status}.`;
}
