// The options of ClientRocketMQ, validated: a connection of the module, or one of its own.

import { UsageError } from '../../support/errors.js';
import { type CheckedOptions, checkOptions } from '../runtime/module-options.js';
import type { RocketMQModuleOptions } from '../runtime/rocketmq.interfaces.js';
import { RocketMQRequester } from '../sending/requester.js';

/** Uses the connection of the module; the client's `close()` leaves it open. */
export interface SharedClientOptions {
  /** The injected requester: `registerAsync([{ name, inject: [RocketMQRequester], useFactory: (requester) => ({ customClass: ClientRocketMQ, options: { requester } }) }])`. */
  readonly requester: RocketMQRequester;
}

/** Options of the module that apply to a client with a connection of its own. */
export type OwnClientOptions = Pick<RocketMQModuleOptions, (typeof OWN_FIELDS)[number]>;

/** The options of ClientRocketMQ. */
export type ClientRocketMQOptions = SharedClientOptions | OwnClientOptions;

const OWN_FIELDS = [
  'endpoints',
  'namespace',
  'tls',
  'credentials',
  'credentialsRefreshMs',
  'requestTimeoutMs',
  'useBootstrapEndpoints',
  'addressMapping',
  'topicLayouts',
  'clock',
  'logger',
  'codec',
  'topics',
  'producer',
  'nameServer',
  'requests',
  'topicPrefix',
  'groupPrefix',
  'resolveTopic',
  'startTimeoutMs',
  'shutdownGraceMs',
  'events',
  'telemetry',
] as const satisfies readonly (keyof RocketMQModuleOptions)[];

const SERIALIZERS = ['serializer', 'deserializer'];

/** The connection that a client uses. */
export type CheckedClient =
  | { readonly kind: 'shared'; readonly requester: RocketMQRequester }
  | { readonly kind: 'own'; readonly options: CheckedOptions };

/** @throws UsageError that names the option */
export function checkClientOptions(options: ClientRocketMQOptions): CheckedClient {
  if (typeof options !== 'object' || options === null)
    throw rejected('options', `must be an object, not ${String(options)}`);
  const given = Object.keys(options);
  const serializer = given.find((field) => SERIALIZERS.includes(field));
  if (serializer !== undefined) {
    throw rejected(
      serializer,
      'is not supported by this transport: use codec, which converts bodies into bytes and back',
    );
  }
  if ('requester' in options) {
    const other = given.find((field) => field !== 'requester');
    if (other !== undefined) throw rejected(other, 'cannot be combined with requester, which has a connection already');
    if (options.requester instanceof RocketMQRequester) return { kind: 'shared', requester: options.requester };
    throw rejected('requester', 'must be the injected RocketMQRequester');
  }
  const unknown = given.find((field) => !(OWN_FIELDS as readonly string[]).includes(field));
  if (unknown !== undefined)
    throw rejected(unknown, `is unknown; the options are requester, or ${OWN_FIELDS.join(', ')}`);
  const checked = checkOptions(options);
  if (checked.target.kind === 'cluster') return { kind: 'own', options: checked };
  const text =
    '"embedded:" would start a second broker without any listeners; share the connection of RocketMQModule with the option ' +
    'requester';
  throw rejected('endpoints', text);
}

function rejected(field: string, problem: string): UsageError {
  return new UsageError('ILLEGAL_OPTION', `ClientRocketMQ: option ${field} ${problem}`, field);
}
