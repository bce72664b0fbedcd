// What is kept of an error: its class, its code, its text and where it was thrown, all bounded.

import { homedir } from 'node:os';
import type { FailureRecord } from '../../protocol/model/failure-record.js';
import { describeError } from '../../support/logger.js';

const MAX_TEXT_LENGTH = 1_000;
const MAX_FRAMES = 10;
const MAX_FRAME_LENGTH = 200;
/** A stack may have a frame of a megabyte, or a million of them. */
const MAX_STACK_LENGTH = 20_000;
/** Names and codes of classes and systems; anything else may be a part of a body. */
const NAME = /^[A-Za-z_$][\w$]{0,60}$/;
const CODE = /^[A-Z][A-Z0-9_]{1,60}$/;

/** @param texts whether to keep the text, which may quote the body of a message */
export function describedError(error: unknown, texts: boolean): FailureRecord['error'] {
  const text = texts ? beginningOf(describeError(error), MAX_TEXT_LENGTH) : undefined;
  if (!(error instanceof Error)) return { name: `a thrown ${typeof error}`, text };
  const { name, code, stack } = error as Error & { readonly code?: unknown };
  return {
    name: typeof name === 'string' && NAME.test(name) ? name : 'Error',
    code: typeof code === 'string' && CODE.test(code) ? code : undefined,
    text,
    stack: typeof stack === 'string' ? framesIn(stack, String(error.message), texts) : undefined,
  };
}

/** The frames of the application's own code, or of any code if it has none. The text before them may quote a body. */
function framesIn(stack: string, message: string, texts: boolean): string | undefined {
  const textAt = message === '' ? -1 : stack.indexOf(message);
  // The text has been changed since: what of the stack is the former one is not known.
  const [head = ''] = stack.split('\n', 1);
  if (!texts && textAt < 0 && (message !== '' || head.includes(': '))) return undefined;
  const traced = textAt < 0 ? stack : stack.slice(textAt + message.length);
  const frames = traced
    .slice(0, MAX_STACK_LENGTH)
    .split('\n')
    .filter((line) => /^\s+at /.test(line));
  const own = frames.filter((frame) => !/\bnode:|[\\/]node_modules[\\/]/.test(frame));
  const shown = (own.length > 0 ? own : frames).slice(0, MAX_FRAMES);
  const lines = shown.map((frame) => beginningOf(withoutFolders(frame.trim()), MAX_FRAME_LENGTH));
  return lines.length === 0 ? undefined : lines.join('\n');
}

/** Paths from the working directory, or from the home directory, which often has a person's name. */
function withoutFolders(frame: string): string {
  return frame.replaceAll('file://', '').replaceAll(`${process.cwd()}/`, '').replaceAll(homedir(), '~');
}

function beginningOf(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length).replace(/\p{Surrogate}$/u, '')}…` : text;
}
