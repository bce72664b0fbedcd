// Whether a body fits what an AsyncAPI document says of its topic: a schema that accepts this body alone is compared with the topic's.

import { BODY_VERSION_PROPERTY } from '../../nest/messages/body-version.js';
import { UsageError } from '../../support/errors.js';
import { describeError } from '../../support/logger.js';
import { type DocumentView, type MessageView, tooDeep } from './document-view.js';
import { SchemaInclusion } from './schema-inclusion.js';
import { isNo, isYes, no, unknown, type Verdict } from './verdict.js';

/** A message that is to be sent. */
interface Sent {
  readonly topic: string;
  readonly body: string | Buffer;
  readonly tag?: string | undefined;
  readonly properties?: Readonly<Record<string, string>> | undefined;
}

/**
 * @returns why the body does not fit, or may not, any message of its topic
 * @throws UsageError `ILLEGAL_BODY` when it is certain that it does not fit; `ILLEGAL_DOCUMENT` when the document does not have the topic
 */
export function bodyDoubts(document: DocumentView, sent: Sent): Verdict {
  const { topic, tag } = sent;
  const messages = document.operations
    .filter(({ channel }) => channel === topic || channel.endsWith(`/${topic}`))
    .flatMap((operation) => operation.messages);
  if (messages.length === 0) {
    const text = `the AsyncAPI document has no topic ${topic}; nothing was sent`;
    throw new UsageError('ILLEGAL_DOCUMENT', text);
  }
  const ofTag = messages.filter((one) => one.tag === undefined || one.tag === tag);
  const verdicts = ofTag.map((message) => verdictOf(message, sent, document));
  const [best] = [...verdicts].sort((one, other) => one.length - other.length);
  if (best === undefined) throw misfit(topic, [no('', `no message of the topic has the tag ${tag ?? '(none)'}`)]);
  if (verdicts.every(isNo)) throw misfit(topic, verdicts);
  return verdicts.find(isYes) ?? verdicts.find((one) => !isNo(one)) ?? best;
}

function misfit(topic: string, verdicts: readonly Verdict[]): UsageError {
  const [best = []] = [...verdicts].sort((one, other) => one.length - other.length);
  return new UsageError('ILLEGAL_BODY', `the body does not fit topic ${topic}: ${doubtText(best)}; nothing was sent`);
}

/** One line: `price is a string, but only number is accepted; …`. */
export function doubtText(verdict: Verdict): string {
  return verdict.map(({ where, why }) => `${where === '' ? 'the body' : where} ${ofOne(why)}`).join('; ');
}

/** Schemas are compared by what may be sent; here it is one value. */
function ofOne(why: string): string {
  const [, may, rest] = /^(may be|may contain) (.*)$/s.exec(why) ?? [];
  return rest === undefined ? why : `${may === 'may be' ? 'is' : 'contains'} ${rest}`;
}

function verdictOf(message: MessageView, { body, properties = {} }: Sent, document: DocumentView): Verdict {
  const { [BODY_VERSION_PROPERTY]: version = '1' } = properties;
  if (version !== String(message.version)) {
    const why = `is of version ${version}, but the schema of version ${message.version}: set --property ${BODY_VERSION_PROPERTY}=${message.version}`;
    return no('', why);
  }
  if (message.payload === undefined) return unknown('', 'has no schema in the document');
  if (message.contentType !== undefined && !/\bjson\b/.test(String(message.contentType)))
    return unknown('', `is ${String(message.contentType)}, of which only JSON can be checked`);
  let value: unknown;
  try {
    value = JSON.parse(body.toString());
  } catch (error) {
    return no('', `is not JSON: ${describeError(error)}`);
  }
  if (tooDeep(value)) return unknown('', 'is nested too deep');
  return new SchemaInclusion({}, document.root).included({ const: value }, message.payload);
}
