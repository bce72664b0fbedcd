// Nest's client proxy with a connection of its own, and as ClientsModule creates it.

import { describe, expect, it } from '@jest/globals';
import { Controller, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClientsModule, MessagePattern } from '@nestjs/microservices';
import { firstValueFrom, lastValueFrom } from 'rxjs';
import { ClientBench } from '../../../../../test/fixtures/client-bench.js';
import { until } from '../../../../../tools/until.js';
import { ClientRocketMQ, type ClientRocketMQOptions, defineTopic } from '../../entries/nest.js';
import { silentLogger } from '../../support/logger.js';
import { TestBroker } from '../../testing/test-broker.js';

const bench = ClientBench.ofFile();

describe('a client with a connection of its own', () => {
  it('connects at its first message, or on request; closes once; does not open again', async () => {
    const client = bench.own();
    const statuses: string[] = [];
    client.status.subscribe((status) => statuses.push(status));
    await lastValueFrom(client.emit('notes', 1));
    await client.connect();
    expect(bench.broker.messages('notes')).toHaveLength(1);
    await Promise.all([client.close(), client.close()]);
    await client.close();
    await expect(client.connect()).rejects.toThrow(/CLOSED/);
    await expect(lastValueFrom(client.emit('notes', 1))).rejects.toThrow(/CLOSED/);
    expect(statuses).toEqual(['connected', 'closed']);
  });

  it('sends requests, and fails those that wait when it is closed', async () => {
    @Controller()
    class Mute {
      @MessagePattern<string>('mute')
      handle(_body: unknown): Promise<never> {
        return new Promise(() => {});
      }

      @MessagePattern<string>('echo')
      echo(body: unknown): unknown {
        return body;
      }
    }
    await bench.server(Mute, { shutdownGraceMs: 0 });
    const client = bench.own();
    await expect(firstValueFrom(client.send('echo', { a: 1 }))).resolves.toEqual({ a: 1 });
    const waiting = firstValueFrom(client.send('mute', 1));
    const failed = expect(waiting).rejects.toThrow(/CLOSED/);
    await until(() => bench.broker.inFlight().length > 0);
    await client.close();
    await failed;
  });

  it('tries again after a connect that failed', async () => {
    const strict = await TestBroker.start({ strict: true });
    bench.apps.push({ close: () => strict.stop() });
    const { endpoints } = strict;
    const client = bench.own({ endpoints, requests: undefined, topics: [defineTopic('notes', { type: 'normal' })] });
    await expect(client.connect()).rejects.toThrow(/TOPIC_NOT_FOUND/);
    strict.declareTopic({ name: 'notes' });
    await lastValueFrom(client.emit('notes', 1));
    expect(strict.messages('notes')).toHaveLength(1);
  });

  it('rejects options by name', () => {
    const rejection = (given: object): string => {
      try {
        new ClientRocketMQ(given as ClientRocketMQOptions);
        return 'accepted';
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(rejection({ endpoints: 'embedded:' })).toMatch(/embedded:.*option requester/);
    expect(rejection({ endpoints: 'a:1', serializer: {} })).toMatch(/option serializer .* use codec/);
    expect(rejection({ endpoints: 'a:1', deserializer: {} })).toMatch(/option deserializer .* use codec/);
    expect(rejection({ endpoints: 'a:1', consumerGroup: 'x' })).toMatch(/option consumerGroup is unknown/);
    expect(rejection({ endpoints: 'a:1', requests: { application: 'a b' } })).toMatch(/requests\.application must be/);
    expect(rejection({ requester: {} })).toMatch(/option requester must be/);
    expect(rejection({})).toMatch(/endpoints is undefined/);
  });
});

describe('ClientsModule', () => {
  it('injects the client, and closes it with the application', async () => {
    @Injectable()
    class Service {}
    const { endpoints } = bench.broker;
    const register = ClientsModule.register([
      { name: 'OWN', customClass: ClientRocketMQ, options: { endpoints, logger: silentLogger } },
    ]);
    @Module({ imports: [register], providers: [Service] })
    class AppModule {}
    const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
    const client = app.get<ClientRocketMQ>('OWN');
    await lastValueFrom(client.emit('notes', 1));
    await app.close();
    await expect(client.connect()).rejects.toThrow(/CLOSED/);
  });
});
