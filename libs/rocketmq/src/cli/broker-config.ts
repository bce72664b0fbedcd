// The options of `nestjs-rocketmq broker`, and the file of `--config`: JSON with the options of the embedded broker, checked field by field.

import type { EmbeddedBrokerOptions } from '../broker/embedded-broker-options.js';
import type { TopicType } from '../protocol/model/message.js';
import { isIntegerFrom } from '../support/options.js';
import { TOPIC_TYPES, wrongCall } from './command.js';
import type { ControlAddress } from './control-option.js';

/** The port at which clients look for a proxy by default. */
export const DEFAULT_PORT = 8081;
/** The port at which clients look for a name server by default. */
export const DEFAULT_NAME_SERVER_PORT = 9876;

/** The parsed command line of a broker. */
export interface BrokerValues {
  readonly port?: number;
  readonly host?: string;
  /** False: no such port. */
  readonly nameServerPort?: number | false;
  readonly advertise?: string;
  readonly control?: ControlAddress;
  /** The port of the console; true: any free port. */
  readonly console?: number | true;
  /** Of the console. */
  readonly operationsTopic?: string;
  readonly strict?: boolean;
  readonly recall?: boolean;
  readonly timeTravel?: boolean;
  readonly manualClock?: boolean;
  readonly data?: string;
  readonly flush?: 'sync' | 'async';
  readonly topic?: readonly DeclaredTopic[];
  readonly group?: readonly DeclaredGroup[];
  readonly config?: string;
}

export interface DeclaredTopic {
  readonly name: string;
  readonly type: TopicType;
  readonly queues: number;
}

export interface DeclaredGroup {
  readonly name: string;
  readonly fifo: boolean;
  readonly maxDeliveryAttempts: number;
}

/** All options that JSON can express. Instead of certificates and keys it names their files. */
export interface BrokerConfig extends Omit<EmbeddedBrokerOptions, 'clock' | 'logger' | 'tls'> {
  readonly tls?: TlsFiles;
}

/** PEM files, relative to the folder of the configuration file. They are read again for each connection, so that they can be rotated. */
export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
  readonly passphrase?: string;
  readonly clientCaFile?: string;
  /** Also serve clients that do not use TLS. */
  readonly allowPlaintext?: boolean;
}

/** Throws when a value is invalid. `field` is its path, for instance `topics[0].name`. */
type Check = (field: string, value: unknown) => void;

const text: Check = (field, value) =>
  expectThat(typeof value === 'string' && value !== '', field, 'a non-empty string', value);
const flag: Check = (field, value) => expectThat(typeof value === 'boolean', field, 'true or false', value);
const count: Check = (field, value) => {
  expectThat(isIntegerFrom(value, 1), field, 'an integer above 0', value);
};
const duration: Check = (field, value) => {
  expectThat(Number.isFinite(value) && (value as number) > 0, field, 'a number of milliseconds above 0', value);
};
const port: Check = (field, value) => {
  expectThat(isIntegerFrom(value, 0, 65_535), field, 'a port from 0 to 65535', value);
};
const topicType: Check = (field, value) => {
  const isType = TOPIC_TYPES.some((type) => type === value);
  expectThat(isType, field, `one of ${TOPIC_TYPES.join(', ')}`, value);
};

const flushMode: Check = (field, value) => {
  expectThat(value === 'sync' || value === 'async', field, 'sync or async', value);
};

const BACKOFFS: Readonly<Record<string, Check>> = {
  customized: object({ kind: text, nextMs: list(duration, 1) }, ['nextMs']),
  exponential: object({ kind: text, initialMs: duration, maxMs: duration, multiplier: duration }, [
    'initialMs',
    'maxMs',
    'multiplier',
  ]),
};
const backoff: Check = (field, value) => {
  const check = BACKOFFS[String((value as { kind?: unknown } | null)?.kind)];
  if (check === undefined) throw wrong(`${field}.kind`, `one of ${Object.keys(BACKOFFS).join(', ')}`, value);
  check(field, value);
};

const config = object<BrokerConfig>({
  port,
  morePorts: list(port),
  host: text,
  nameServerPort: port,
  controlPort: port,
  controlHost: text,
  advertisedAddress: object({ host: text, port, nameServerPort: port }, ['host']),
  advertiseAsAsked: flag,
  tls: object({ certFile: text, keyFile: text, passphrase: text, clientCaFile: text, allowPlaintext: flag }, [
    'certFile',
    'keyFile',
  ]),
  users: list(
    object(
      {
        accessKey: text,
        secretKey: text,
        isSuper: flag,
        permissions: list(object({ resource: text, actions: list(text, 1), decision: text }, ['resource', 'actions'])),
      },
      ['accessKey', 'secretKey'],
    ),
  ),
  data: text,
  flush: flushMode,
  retentionMs: duration,
  retentionBytes: count,
  maxMemoryBytes: count,
  maxLiteTopics: count,
  strict: flag,
  timeTravel: flag,
  manualClock: flag,
  topics: list(object({ name: text, type: topicType, queues: count }, ['name'])),
  groups: list(
    object(
      {
        name: text,
        fifo: flag,
        maxDeliveryAttempts: count,
        backoff,
        lite: object({ topic: text, subscriptionQuota: count, exclusive: flag }, ['topic']),
      },
      ['name'],
    ),
  ),
  maxDelayMs: duration,
  recallEnabled: flag,
  transactionFirstCheckMs: duration,
  transactionCheckIntervalMs: duration,
  transactionCheckMax: count,
  transactionDataExpireMs: duration,
});

/**
 * Parses and checks a configuration.
 * @param json the content of the file
 * @throws UsageError that names the field
 */
export function parseBrokerConfig(json: string): BrokerConfig {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw wrongCall(`the file of --config is not valid JSON${placeOf(error as Error, json)}`);
  }
  config('', value);
  return value as BrokerConfig;
}

/** Where the parser stopped, if its message contains it. The rest of the message may quote a part of the file. */
function placeOf({ message }: Error, json: string): string {
  const [, position] = /at position (\d{1,15})/.exec(message) ?? [];
  if (position === undefined) return '';
  const lines = json.slice(0, Number(position)).split('\n');
  return `: the error is at line ${lines.length}, column ${(lines.at(-1)?.length ?? 0) + 1}`;
}

/** @param fields the allowed fields @param required the fields that must be present */
function object<T extends object = Record<string, unknown>>(
  fields: { readonly [Field in keyof Required<T>]: Check },
  required: readonly string[] = [],
): Check {
  return (place, value) => {
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    expectThat(isObject, place, 'an object', value);
    const entries = Object.entries(value as object);
    const at = (field: string): string => (place === '' ? field : `${place}.${field}`);
    for (const field of required) {
      if (!entries.some(([name]) => name === field)) throw wrongCall(`--config: ${at(field)} is missing`);
    }
    for (const [name, part] of entries) {
      if (!Object.hasOwn(fields, name)) {
        throw wrongCall(
          `--config: unknown field ${at(name)}; the fields are ${Object.keys(fields).map(at).join(', ')}`,
        );
      }
      fields[name as keyof T](at(name), part);
    }
  };
}

function list(check: Check, atLeast = 0): Check {
  return (field, value) => {
    if (!Array.isArray(value)) throw wrong(field, 'a list', value);
    expectThat(value.length >= atLeast, field, `a list of at least ${atLeast}`, value);
    for (const [index, part] of value.entries()) check(`${field}[${index}]`, part);
  };
}

function expectThat(holds: boolean, field: string, what: string, value: unknown): void {
  if (!holds) throw wrong(field, what, value);
}

/** The message does not contain the value: it may be a secret in the wrong field. */
function wrong(field: string, what: string, value: unknown): Error {
  const place = field === '' ? 'the file' : field;
  const found = value === undefined ? '' : `, but is ${kindOf(value)}`;
  return wrongCall(`--config: ${place} must be ${what}${found}`);
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return { object: 'an object', boolean: 'true or false' }[typeof value as string] ?? `a ${typeof value}`;
}
