// Writes protobuf fields into a buffer whose size was computed before, for the messages on the hot path. All other messages are
// written by the generated code.

import type { Resource } from '../generated/apache/rocketmq/v2/definition.js';

/** The size of a field: one tag byte, its length and its content. */
export function fieldSize(contentSize: number): number {
  return 1 + varintSize(contentSize) + contentSize;
}

/** The size of a string that is omitted when it is empty. */
export function textFieldSize(text: string): number {
  return text === '' ? 0 : fieldSize(textSize(text));
}

/** The size of a number that is omitted when it is 0. */
export function numberFieldSize(value: number): number {
  return value === 0 ? 0 : 1 + varintSize(value);
}

export function entrySize(name: string, value: string): number {
  return textFieldSize(name) + textFieldSize(value);
}

export function timeSize(date: Date): number {
  const ms = date.getTime();
  return numberFieldSize(Math.floor(ms / 1_000)) + numberFieldSize((ms % 1_000) * 1_000_000);
}

export function varintSize(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  return value < 0x1000_0000 ? 4 : 5;
}

export function textSize(text: string): number {
  for (let index = 0; index < text.length; index++) {
    if (text.charCodeAt(index) >= 0x80) return Buffer.byteLength(text);
  }
  return text.length;
}

export function writeVarint(frame: Buffer, start: number, value: number): number {
  let at = start;
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) frame[at++] = (rest % 0x80) | 0x80;
  frame[at++] = rest;
  return at;
}

export function writeLength(frame: Buffer, start: number, tag: number, length: number): number {
  frame[start] = tag;
  return writeVarint(frame, start + 1, length);
}

/** Up to this length a loop is faster than Node's own method. */
const SHORT_TEXT = 40;

/** @param size its {@link textSize}, where that is known: it costs as much as writing the text */
export function writeText(frame: Buffer, start: number, tag: number, text: string, size = textSize(text)): number {
  const at = writeLength(frame, start, tag, size);
  if (size !== text.length) return at + frame.write(text, at, 'utf8');
  if (size > SHORT_TEXT) return at + frame.write(text, at, 'latin1');
  for (let index = 0; index < size; index++) frame[at + index] = text.charCodeAt(index);
  return at + size;
}

export function writeTextField(frame: Buffer, at: number, tag: number, text: string): number {
  return text === '' ? at : writeText(frame, at, tag, text);
}

export function writeNumberField(frame: Buffer, at: number, tag: number, value: number): number {
  if (value === 0) return at;
  frame[at] = tag;
  return writeVarint(frame, at + 1, value);
}

export function writeTime(frame: Buffer, start: number, tag: number, date: Date): number {
  const ms = date.getTime();
  let at = writeLength(frame, start, tag, timeSize(date));
  at = writeNumberField(frame, at, 0x08, Math.floor(ms / 1_000));
  return writeNumberField(frame, at, 0x10, (ms % 1_000) * 1_000_000);
}

export function resourceSize({ resourceNamespace, name }: Resource): number {
  return textFieldSize(resourceNamespace) + textFieldSize(name);
}

export function writeResource(frame: Buffer, start: number, tag: number, resource: Resource, size: number): number {
  let at = writeLength(frame, start, tag, size);
  at = writeTextField(frame, at, 0x0a, resource.resourceNamespace);
  return writeTextField(frame, at, 0x12, resource.name);
}

/** Whether the writers of numbers support it: an integer that is not negative and has at most 31 bits. */
export function isUint31(value: number): boolean {
  return (value | 0) === value && value >= 0;
}
