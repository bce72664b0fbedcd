// Objects with secret keys, private keys or passphrases do not show them when they are printed or logged.

import { format, inspect } from 'node:util';
import { afterEach, describe, expect, it } from '@jest/globals';
import { type DynamicModule, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { RocketMQModule, RocketMQProducer } from 'nestjs-rocketmq';
import { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { ControlClient, EmbeddedBroker } from 'nestjs-rocketmq/broker';
import { Connection, Producer, PushConsumer, SimpleConsumer } from 'nestjs-rocketmq/client';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { RocketMQConsoleModule } from 'nestjs-rocketmq-console';
import { CertificateAuthority } from './fixtures/certificates.js';

const SECRET = 'a-secret-key-of-nobody';
const credentials = { accessKey: 'root', secretKey: SECRET, sessionToken: `${SECRET} of a session` };
const users = [{ accessKey: 'root', secretKey: SECRET, isSuper: true }];

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** A broker with every kind of secret, and the options for its clients. */
async function secured() {
  const authority = new CertificateAuthority();
  ends.push(() => authority.remove());
  const pair = authority.issue();
  const broker = new EmbeddedBroker({ users, tls: { ...pair }, nameServerPort: 0, controlPort: 0 });
  await broker.start();
  ends.push(() => broker.stop());
  const key = String(pair.key).split('\n')[1] as string;
  return { broker, pair, tls: { ca: authority.cert, ...pair }, key };
}

/** The output of printing and logging an object, with unlimited depth. */
function shown(object: unknown): string {
  const deep = { depth: Number.POSITIVE_INFINITY, maxArrayLength: Number.POSITIVE_INFINITY, maxStringLength: null };
  const seen = new Set<unknown>();
  const json = JSON.stringify(object, (_, value: unknown) => {
    if (typeof value === 'bigint') return String(value);
    if (typeof value !== 'object' || value === null) return value;
    if (seen.has(value)) return 'again';
    seen.add(value);
    return value;
  });
  return [inspect(object, { ...deep, showHidden: true }), format('%o %j', object, {}), json].join();
}

function expectNothing(object: unknown, key = SECRET): void {
  const text = shown(object);
  expect(text.length).toBeGreaterThan(20);
  expect([text.includes(SECRET), text.includes(key)]).toEqual([false, false]);
}

describe('no secret is shown by', () => {
  it('an embedded broker, started or not', async () => {
    const { broker, key } = await secured();
    expectNothing(broker, key);
    await broker.stop();
    expectNothing(broker, key);
    const test = await TestBroker.start({ users });
    ends.push(() => test.stop());
    expectNothing(test);
  });

  it('the clients of a broker', async () => {
    const { broker, tls, key } = await secured();
    expectNothing(new ControlClient({ endpoint: broker.controlEndpoint, credentials, ca: tls.ca }), key);
    const admin = new RocketMQAdmin({ nameServer: broker.nameServerEndpoint, credentials, tls });
    ends.push(() => admin.close());
    await admin.listTopics();
    expectNothing(admin, key);
  });

  it.each(['http2', 'grpc-js'] as const)('connections, producers and consumers (%s)', async (transport) => {
    const { broker, tls, key } = await secured();
    const connection = new Connection({ endpoints: broker.endpoints, credentials, tls, transport });
    const producer = new Producer(connection, {});
    const group = { consumerGroup: 'g', subscriptions: [{ topic: 't' }] };
    const push = new PushConsumer(connection, { ...group, handler: async () => {} });
    const simple = new SimpleConsumer(connection, { ...group, consumerGroup: 'h' });
    ends.push(() => connection.close());
    for (const client of [producer, push, simple]) {
      await client.start();
      ends.push(() => client.close());
    }
    await producer.send({ topic: 't', body: 'x' });
    // What differs is in the connection, and grpc-js has a hundred times as much to print.
    const printed = transport === 'grpc-js' ? [connection] : [connection, producer, push, simple];
    for (const client of printed) expectNothing(client, key);
  });

  it('a module of Nest, its providers, and the whole application', async () => {
    const { pair, tls, key } = await secured();
    const options = {
      endpoints: '127.0.0.1:1',
      credentials,
      tls: { ...tls, ...pair },
      whenUnavailable: 'degraded',
      startTimeoutMs: 100,
    } as const;
    const module: DynamicModule = RocketMQModule.forRoot(options);
    expectNothing(module, key);
    class AppModule {}
    Module({ imports: [module] })(AppModule);
    const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
    ends.push(() => app.close());
    // Unlimited depth would take half a minute here.
    const printed = [app.get(RocketMQProducer), app].map((object) => inspect(object, { depth: 9 })).join();
    expect([printed.includes(SECRET), printed.includes(key)]).toEqual([false, false]);
  });

  it('a module of the console, in an application or not', async () => {
    const { broker, tls, key } = await secured();
    const control = { endpoint: broker.controlEndpoint, credentials, ca: tls.ca };
    expectNothing(RocketMQConsoleModule.forRoot({ control }), key);
    // It is no option, and still in the object that was given.
    expectNothing(RocketMQConsoleModule.forRoot({ credentials } as never), key);
    class AppModule {}
    const { endpoints, nameServerEndpoint: nameServer } = broker;
    const options = { endpoints, nameServer, credentials, tls };
    Module({ imports: [RocketMQModule.forRoot(options), RocketMQConsoleModule.forRoot({ control })] })(AppModule);
    const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
    ends.push(() => app.close());
    const printed = inspect(app, { depth: 9 });
    expect([printed.includes(SECRET), printed.includes(key)]).toEqual([false, false]);
  });
});
