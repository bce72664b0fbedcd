// The first start of an application on a cluster without a proxy, whose servers take a second for each answer.

import { afterEach, expect, it } from '@jest/globals';
import { Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type BrokerScript, ScriptedCluster } from '../../../../test/fixtures/scripted-cluster.js';
import {
  encodeAnswer,
  type ScriptedReply,
  type ScriptedServer,
} from '../../../../test/fixtures/scripted-remoting-server.js';
import { RocketMQListener, RocketMQModule } from '../entries/nest.js';
import { REQUEST_CODES as CODES } from '../protocol/remoting/codes.js';
import { silentLogger } from '../support/logger.js';

const ANSWER_MS = 1_000;
/** Of 5.5.0. */
const VERSION = 513;

const cluster = new ScriptedCluster();

afterEach(async () => {
  await cluster.close();
});

type Answers = (code: number) => NonNullable<ScriptedReply>;

const late =
  (answerOf: Answers): BrokerScript =>
  ({ code, opaque }, socket) => {
    setTimeout(() => socket?.write(encodeAnswer(opaque, { version: VERSION, ...answerOf(code) })), ANSWER_MS);
    return undefined;
  };

/** A broker that has no group, and creates none. */
const broker = late((code) => {
  if (code === CODES.getBrokerConfig) return { body: 'autoCreateSubscriptionGroup=false\n' };
  if (code === CODES.getSubscriptionGroupConfig) return { code: 26, remark: 'subscription group not exist' };
  return {};
});

/** A name server that knows these brokers, and no topic. */
function nameServerOf(brokers: readonly ScriptedServer[]): BrokerScript {
  const entries = brokers.map(({ address }, at) => {
    const brokerName = `broker-${at}`;
    return [brokerName, { brokerName, cluster: 'main', brokerAddrs: { 0: address } }];
  });
  const body = JSON.stringify({ brokerAddrTable: Object.fromEntries(entries), clusterAddrTable: {} });
  return late((code) => {
    if (code === CODES.getBrokerClusterInfo) return { body };
    return code === CODES.getRouteInfoByTopic ? { code: 17, remark: 'No topic route info' } : { code: 22 };
  });
}

it('names all topics and groups that are missing, when each answer takes a third of the limit of a request', async () => {
  const brokers = [await cluster.server(broker), await cluster.server(broker)];
  const nameServer = await cluster.server(nameServerOf(brokers));
  const names = Array.from({ length: 8 }, (_, at) => `${at}`);
  const listeners = names.map((name): Type => {
    class Listener {
      handle(): void {}
    }
    const handle = Object.getOwnPropertyDescriptor(Listener.prototype, 'handle') as PropertyDescriptor;
    RocketMQListener(`topic-${name}`, { consumerGroup: `group-${name}`, name: `listener-${name}` })(
      Listener.prototype,
      'handle',
      handle,
    );
    return Listener;
  });
  const endpoints = `name-server:${nameServer.address}`;
  const options = { endpoints, requestTimeoutMs: 3 * ANSWER_MS, logger: silentLogger };
  @Module({ imports: [RocketMQModule.forRoot(options)], providers: listeners })
  class ShopModule {}
  const starting = NestFactory.createApplicationContext(ShopModule, { logger: false, abortOnError: false });
  const error = await starting.then(
    (app) => app.close(),
    (failure: Error) => failure,
  );
  expect(error).toMatchObject({ code: 'TOPIC_NOT_FOUND', outcome: 'rejected' });
  const { command } = error as unknown as { readonly command: string };
  expect(names.filter((name) => !command.includes(`topic create topic-${name} `))).toEqual([]);
  expect(names.filter((name) => !command.includes(`group create group-${name} `))).toEqual([]);
});
