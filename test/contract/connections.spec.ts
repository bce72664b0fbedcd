// What happens to HTTP/2 connections. Runs by remoting take the proxy on the same broker here; for connections to brokers see remoting/ and
// gateway/ of the library, and test/restarts.

import { describe, expect } from '@jest/globals';
import { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { Connection, Producer } from 'nestjs-rocketmq/client';
import { resource } from '../../tools/wire/raw-grpc-client.js';
import { forwardTo, type TcpForwarder } from '../fixtures/tcp-forwarder.js';
import { REQUEST_MS, SHORT_REQUEST_MS } from './support/backend.js';
import { contractSuite } from './support/contract.js';
import { texts, type World } from './support/world.js';

const contract = contractSuite();

/** A forwarder between a client and the server. The caller closes it. */
function forwarderOf({ backend }: World): Promise<TcpForwarder> {
  return forwardTo(Number(backend.proxy.split(':')[1]));
}

// A server that takes long to accept a connection is asked what it is, over others: only differences between counts mean something.
const through = ({ port }: TcpForwarder) => ({
  endpoints: `127.0.0.1:${port}`,
  useBootstrapEndpoints: true,
  requestTimeoutMs: SHORT_REQUEST_MS,
});

describe('the address of a proxy', () => {
  contract('with name-server: before it, or as nameServer, is recognized', async (world) => {
    const { proxy } = world.backend;
    const recognized = { code: 'NOT_A_NAME_SERVER', outcome: 'not-sent', retryable: false };
    // Of its own, because one of the suite has an implementation of gRPC.
    const connection = new Connection({ endpoints: `name-server:${proxy}` });
    const producer = new Producer(connection, { topics: { orders: 'normal' } });
    await expect(producer.start({ timeoutMs: 20_000 })).rejects.toMatchObject(recognized);
    await producer.close();
    connection.close();
    const admin = new RocketMQAdmin({ nameServer: proxy, timeoutMs: 20_000 });
    await expect(admin.listTopics()).rejects.toMatchObject(recognized);
    await admin.close();
  });
});

describe('connections', () => {
  contract('many clients share one connection, each known by its own settings', async (world) => {
    const topic = await world.topic();
    const forwarder = await forwarderOf(world);
    try {
      const connection = world.connection({ ...through(forwarder), requestTimeoutMs: REQUEST_MS });
      const consumers = await Promise.all(Array.from({ length: 8 }, () => world.record({ topic }, connection)));
      const producers = await Promise.all(Array.from({ length: 8 }, () => world.producer({}, connection)));
      for (const [index, producer] of producers.entries()) await producer.send({ topic, body: `from ${index}` });
      const sent = producers.map((_, index) => `from ${index}`);
      await world.until('every group has every message', () =>
        consumers.every(({ deliveries }) => deliveries.length >= sent.length),
      );
      for (const { deliveries } of consumers) expect(texts(deliveries).sort()).toEqual(sent);
      expect(forwarder.openConnections()).toBe(1);
      await world.close();
    } finally {
      await forwarder.close();
    }
  });

  contract('a message whose handler outlives its connection is acknowledged over the next', async (world) => {
    const topic = await world.topic();
    const forwarder = await forwarderOf(world);
    try {
      let release = (): void => {};
      const released = new Promise<void>((resolve) => {
        release = resolve;
      });
      const options = { topic, invisibleDurationMs: 10_000, handle: () => released };
      const { deliveries } = await world.record(options, world.connection(through(forwarder)));
      const producer = await world.producer();
      await producer.send({ topic, body: 'one' });
      await world.until('it is handled', () => deliveries.length === 1);
      forwarder.reset();
      release();
      await world.until('there is another connection', () => forwarder.connections() > 1);
      await world.backend.quiet();
      for (let second = 0; second < 16; second++) await world.backend.advance(1_000);
      expect(texts(deliveries)).toEqual(['one']);
      await world.close();
    } finally {
      await forwarder.close();
    }
  });

  contract('a send over a connection that has gone silent succeeds on another', async (world) => {
    const topic = await world.topic();
    const forwarder = await forwarderOf(world);
    try {
      const producer = await world.producer({}, world.connection(through(forwarder)));
      await producer.send({ topic, body: 'before' });
      const connections = forwarder.connections();
      forwarder.freeze();
      const { messageId } = await producer.send({ topic, body: 'after' }, { timeoutMs: 20_000 });
      expect(messageId).toHaveLength(34);
      expect(forwarder.connections()).toBeGreaterThan(connections);
      await world.close();
    } finally {
      await forwarder.close();
    }
  });

  contract('a call that ends before the way there and back does leaves the connection to all others', async (world) => {
    const topic = await world.topic();
    const forwarder = await forwarderOf(world);
    try {
      const connection = world.connection(through(forwarder));
      const { deliveries } = await world.record({ topic }, connection);
      const producer = await world.producer({}, connection);
      await producer.send({ topic, body: 'before' });
      const connections = forwarder.connections();
      forwarder.delay(40);
      for (let sent = 0; sent < 5; sent++) {
        const impatient = producer.send({ topic, body: 'impatient' }, { timeoutMs: 30 });
        await expect(impatient).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
      }
      await producer.send({ topic, body: 'patient' }, { timeoutMs: 10_000 });
      await world.until('it is delivered', () => texts(deliveries).includes('patient'));
      expect(forwarder.connections()).toBe(connections);
      await world.close();
    } finally {
      await forwarder.close();
    }
  });

  contract(
    'what is under way when a server announces its end is answered, and what comes after goes to the next address',
    async (world) => {
      const topic = await world.topic();
      const [first, second] = [await forwarderOf(world), await forwarderOf(world)];
      try {
        const endpoints = `127.0.0.1:${first.port};127.0.0.1:${second.port}`;
        const connection = world.connection({ endpoints, useBootstrapEndpoints: true });
        const receiver = await world.simpleConsumer(topic, await world.group(), connection);
        const producer = await world.producer({}, connection);
        await producer.send({ topic, body: 'before' });
        const [before] = await receiver.receive();
        if (before !== undefined) await receiver.ack(before);
        const connections = first.connections();
        const poll = receiver.receive();
        first.delay(200);
        const sends = ['a', 'b', 'c'].map((body) => producer.send({ topic, body }, { timeoutMs: 10_000 }));
        first.goaway();
        expect(await Promise.all(sends)).toHaveLength(3);
        expect((await poll).length).toBeGreaterThan(0);
        await producer.send({ topic, body: 'after' });
        expect(first.connections() + second.connections()).toBeGreaterThan(connections);
        await world.close();
      } finally {
        await first.close();
        await second.close();
      }
    },
  );

  contract('an address where nobody listens is passed over', async (world) => {
    const topic = await world.topic();
    const forwarder = await forwarderOf(world);
    await forwarder.close();
    const endpoints = `127.0.0.1:${forwarder.port};${world.backend.proxy}`;
    const connection = world.connection({ endpoints, useBootstrapEndpoints: true });
    const { deliveries } = await world.record({ topic }, connection);
    const producer = await world.producer({}, connection);
    await producer.send({ topic, body: 'one' });
    await world.until('it is delivered', () => texts(deliveries).includes('one'));
  });

  contract('a consumer that the server has forgotten makes itself known again, and receives', async (world) => {
    const topic = await world.topic();
    const consumerGroup = await world.group();
    const { consumer, deliveries } = await world.record({ topic, consumerGroup });
    const producer = await world.producer();
    const twin = world.rawClient(consumer.clientId);
    const { status } = await twin.call('notifyClientTermination', { group: resource(consumerGroup) });
    expect(status?.code).toBe(20_000);
    await producer.send({ topic, body: 'one' });
    await world.until('it is delivered', () => texts(deliveries).includes('one'));
    await producer.send({ topic, body: 'two' });
    await world.until('the next is delivered, too', () => texts(deliveries).includes('two'));
  });

  contract('the address of a name server is named as one, in plaintext and over TLS', async (world) => {
    const endpoints = world.backend.nameServer;
    for (const tls of [undefined, { dangerouslyAcceptAnyCertificate: true }]) {
      const producer = new Producer(world.connection({ endpoints, tls }));
      const starting = producer.start({ timeoutMs: 30_000 });
      await expect(starting).rejects.toMatchObject({ code: 'NOT_A_PROXY', outcome: 'not-sent', retryable: false });
      await expect(starting).rejects.toThrow('the server is a RocketMQ name server (remoting protocol), not a proxy');
    }
  });
});
