// What applications inject: tokens and decorators, by the name of the connection.

import { Inject, type InjectionToken } from '@nestjs/common';
import { ADMIN_METADATA } from '../common/rocketmq.constants.js';
import { RocketMQEvents } from '../events/rocketmq-events.js';
import { RocketMQListeners } from '../events/rocketmq-listeners.js';
import { RocketMQHealth } from '../health/rocketmq-health.js';
import { RocketMQRequester } from '../sending/requester.js';
import { RocketMQProducer } from '../sending/rocketmq-producer.js';
import { ServerRocketMQ } from '../transport/server-rocketmq.js';
import { RocketMQClient } from './rocketmq-client.js';

/** The token of a connection's `RocketMQProducer`; the class itself for the connection without a name. */
export function getRocketMQProducerToken(connection?: string): InjectionToken<RocketMQProducer> {
  return connection === undefined ? RocketMQProducer : Symbol.for(`nestjs-rocketmq.producer:${connection}`);
}

/** The token of a connection's `RocketMQListeners`; the class itself for the connection without a name. */
export function getRocketMQListenersToken(connection?: string): InjectionToken<RocketMQListeners> {
  return connection === undefined ? RocketMQListeners : Symbol.for(`nestjs-rocketmq.listeners:${connection}`);
}

/** The token of a connection's `RocketMQClient`; the class itself for the connection without a name. */
export function getRocketMQClientToken(connection?: string): InjectionToken<RocketMQClient> {
  return connection === undefined ? RocketMQClient : Symbol.for(`nestjs-rocketmq.client:${connection}`);
}

/** The token of a connection's `RocketMQAdmin`. */
export function getRocketMQAdminToken(connection?: string): InjectionToken {
  return Symbol.for(`nestjs-rocketmq.admin${connection === undefined ? '' : `:${connection}`}`);
}

/** The token of a connection's `RocketMQRequester`; the class itself for the connection without a name. */
export function getRocketMQRequesterToken(connection?: string): InjectionToken<RocketMQRequester> {
  return connection === undefined ? RocketMQRequester : Symbol.for(`nestjs-rocketmq.requester:${connection}`);
}

/** The token of a connection's `RocketMQEvents`; the class itself for the connection without a name. */
export function getRocketMQEventsToken(connection?: string): InjectionToken<RocketMQEvents> {
  return connection === undefined ? RocketMQEvents : Symbol.for(`nestjs-rocketmq.events:${connection}`);
}

/** The token of a connection's `RocketMQHealth`; the class itself for the connection without a name. */
export function getRocketMQHealthToken(connection?: string): InjectionToken<RocketMQHealth> {
  return connection === undefined ? RocketMQHealth : Symbol.for(`nestjs-rocketmq.health:${connection}`);
}

/** The token of a connection's `ServerRocketMQ`, for `app.get()`; the class itself for the connection without a name. */
export function getRocketMQServerToken(connection?: string): InjectionToken<ServerRocketMQ> {
  return connection === undefined ? ServerRocketMQ : Symbol.for(`nestjs-rocketmq.server:${connection}`);
}

type InjectDecorator = ParameterDecorator & PropertyDecorator;

/** Injects the `RocketMQProducer` of a connection. @param connection default: the connection without a name */
export function InjectRocketMQProducer(connection?: string): InjectDecorator {
  return Inject(getRocketMQProducerToken(connection));
}

/** Injects the `RocketMQClient` of a connection. @param connection default: the connection without a name */
export function InjectRocketMQClient(connection?: string): InjectDecorator {
  return Inject(getRocketMQClientToken(connection));
}

/**
 * Injects the `RocketMQAdmin` (of `nestjs-rocketmq/admin`) of a connection. It needs the module option `nameServer`, except with
 * `embedded:`; without it the application fails at startup with an error that names the option. The module closes it.
 * @param connection default: the connection without a name
 */
export function InjectRocketMQAdmin(connection?: string): InjectDecorator {
  const inject = Inject(getRocketMQAdminToken(connection));
  return (target: object, key: string | symbol | undefined, index?: number): void => {
    inject(target, key as string, index as number);
    const type = typeof target === 'function' ? target : target.constructor;
    const wanted: readonly (string | undefined)[] = Reflect.getOwnMetadata(ADMIN_METADATA, type) ?? [];
    Reflect.defineMetadata(ADMIN_METADATA, [...wanted, connection], type);
  };
}
