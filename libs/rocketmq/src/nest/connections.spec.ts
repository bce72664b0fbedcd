// Several connections in one application, and what applications inject from each.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable, Module, type Provider } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { closeApp } from '../../../../test/fixtures/close-app.js';
import { recordingLogger } from '../../../../test/fixtures/nest-bench.js';
import { until } from '../../../../tools/until.js';
import { RocketMQAdmin } from '../entries/admin.js';
import { SimpleConsumer } from '../entries/client.js';
import {
  currentTransaction,
  getRocketMQListenersToken,
  getRocketMQProducerToken,
  InjectRocketMQAdmin,
  InjectRocketMQClient,
  InjectRocketMQProducer,
  RocketMQClient,
  RocketMQListener,
  RocketMQListeners,
  RocketMQModule,
  type RocketMQModuleOptions,
  type RocketMQOptionsFactory,
  RocketMQProducer,
  type TransactionAnswer,
  TransactionalSend,
  TransactionChecker,
} from '../entries/nest.js';
import { silentLogger } from '../support/logger.js';
import { TestBroker } from '../testing/test-broker.js';
import { getRocketMQAdminToken } from './module/injection.decorators.js';

let own: TestBroker;
let eu: TestBroker;
const apps: TestingModule[] = [];
const folders: string[] = [];

beforeEach(async () => {
  [own, eu] = await Promise.all([TestBroker.start({ nameServerPort: 0 }), TestBroker.start()]);
});

afterEach(async () => {
  for (const app of apps.splice(0)) await closeApp(app);
  await Promise.all([own.stop(), eu.stop()]);
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function options({ endpoints }: TestBroker, more: Partial<RocketMQModuleOptions> = {}): RocketMQModuleOptions {
  return { endpoints, consumerGroup: 'service', logger: silentLogger, ...more };
}

type Imports = ReturnType<typeof RocketMQModule.forRoot>[];

async function compile(imports: Imports, providers: Provider[]): Promise<TestingModule> {
  const app = await Test.createTestingModule({ imports, providers }).compile();
  apps.push(app);
  return app;
}

async function start(imports: Imports, providers: Provider[]): Promise<TestingModule> {
  const app = await compile(imports, providers);
  await app.init();
  return app;
}

const texts = (broker: TestBroker, topic: string): string[] =>
  broker.messages(topic).map(({ body }) => body.toString());

@Injectable()
class Sender {
  constructor(
    @InjectRocketMQProducer() readonly own: RocketMQProducer,
    @InjectRocketMQProducer('eu') readonly eu: RocketMQProducer,
  ) {}
}

describe('two connections', () => {
  const both = () => [RocketMQModule.forRoot(options(own)), RocketMQModule.forRoot({ ...options(eu), name: 'eu' })];

  it('have a producer each', async () => {
    const running = await start(both(), [Sender]);
    const sender = running.get(Sender);
    expect(sender.own).toBe(running.get(RocketMQProducer));
    expect(sender.eu).toBe(running.get(getRocketMQProducerToken('eu')));
    await sender.own.send({ topic: 'plain', body: 'own' });
    await sender.eu.send({ topic: 'plain', body: 'eu' });
    expect([texts(own, 'plain'), texts(eu, 'plain')]).toEqual([['own'], ['eu']]);
  });

  it('run the listeners that name them, and no others', async () => {
    const got: string[] = [];
    class Listener {
      @RocketMQListener('orders')
      async own(body: string): Promise<void> {
        got.push(`own ${body}`);
      }

      @RocketMQListener('orders', { connection: 'eu' })
      async eu(body: string): Promise<void> {
        got.push(`eu ${body}`);
      }
    }
    const running = await start(both(), [Listener, Sender]);
    expect(running.get(RocketMQListeners).states()).toMatchObject([{ name: 'Listener.own' }]);
    expect(running.get(getRocketMQListenersToken('eu')).states()).toMatchObject([{ name: 'Listener.eu' }]);
    await running.get(Sender).eu.send({ topic: 'orders', body: 1 });
    await running.get(Sender).own.send({ topic: 'orders', body: 2 });
    await Promise.all([own.idle(), eu.idle()]);
    expect(got.sort()).toEqual(['eu 1', 'own 2']);
  });

  it('run the transactions that name them, and answer their checks', async () => {
    class Booking {
      @TransactionalSend('booked', { connection: 'eu', message: (id: string) => ({ body: { id } }) })
      async book(_id: string): Promise<string> {
        return currentTransaction().topic;
      }

      @TransactionChecker('booked', { connection: 'eu' })
      check(): TransactionAnswer {
        return 'rollback';
      }
    }
    const running = await start(both(), [Booking]);
    expect(await running.get(Booking).book('a')).toBe('booked');
    expect([texts(eu, 'booked'), texts(own, 'booked')]).toEqual([['{"id":"a"}'], []]);
  });

  it('are rejected with the same name, and an invalid name fails the startup', async () => {
    const twice = RocketMQModule.forRoot({ ...options(own), name: 'eu' });
    await expect(start([...both(), twice], [])).rejects.toThrow(/MODULE_IMPORTED_TWICE.*with the name "eu"/);
    expect(() => RocketMQModule.forRoot({ ...options(own), name: '' })).toThrow(
      /option name must be a non-empty string/,
    );
    class Lost {
      @RocketMQListener('orders', { connection: 'us' })
      async handle(): Promise<void> {}
    }
    await expect(start(both(), [Lost])).rejects.toThrow(
      /UNKNOWN_CONNECTION.*Lost\.handle names connection "us"; RocketMQModule has one without a name, "eu"/,
    );
  });

  it('can all have names', async () => {
    class Listener {
      @RocketMQListener('orders')
      async handle(): Promise<void> {}
    }
    const named = RocketMQModule.forRoot({ ...options(eu), name: 'eu' });
    await expect(start([named], [Listener])).rejects.toThrow(/names no connection, but all connections have names/);
  });

  it('take their options from factories; the name is set beside the factory', async () => {
    @Injectable()
    class Config implements RocketMQOptionsFactory {
      createRocketMQOptions(): RocketMQModuleOptions {
        return options(own);
      }
    }
    @Module({ providers: [Config], exports: [Config] })
    class ConfigModule {}
    const running = await start(
      [
        RocketMQModule.forRootAsync({ useFactory: () => options(eu), name: 'eu' }),
        RocketMQModule.forRootAsync({ useClass: Config, name: 'class' }),
        RocketMQModule.forRootAsync({ imports: [ConfigModule], useExisting: Config }),
      ],
      [Sender],
    );
    await running.get(Sender).eu.send({ topic: 'plain', body: 'eu' });
    await running.get(getRocketMQProducerToken('class')).send({ topic: 'plain', body: 'class' });
    expect([texts(own, 'plain'), texts(eu, 'plain')]).toEqual([['class'], ['eu']]);
  });
});

describe('the injected client', () => {
  it('has the connection while the application runs', async () => {
    @Injectable()
    class Nightly {
      constructor(@InjectRocketMQClient() readonly client: RocketMQClient) {}

      async run(): Promise<string[]> {
        const consumer = new SimpleConsumer(this.client.connection, {
          consumerGroup: 'nightly',
          subscriptions: [{ topic: 'reports' }],
        });
        await consumer.start();
        const messages = await consumer.receive();
        for (const message of messages) await consumer.ack(message);
        await consumer.close();
        return messages.map(({ body }) => body.toString());
      }
    }
    const app = await compile([RocketMQModule.forRoot(options(own))], [Nightly]);
    const { client } = app.get(Nightly);
    expect(client).toBe(app.get(RocketMQClient));
    expect(() => client.connection).toThrow(/NOT_RUNNING.*app.init/);
    await app.init();
    await app.get(RocketMQProducer).send({ topic: 'reports', body: 'a' });
    expect(await app.get(Nightly).run()).toEqual(['a']);
    await app.close();
    expect(() => client.connection).toThrow(/NOT_RUNNING/);
  });
});

describe('the injected admin', () => {
  @Injectable()
  class Operator {
    @InjectRocketMQAdmin() readonly admin!: RocketMQAdmin;
  }

  it('connects to the name servers of the module, and is closed with it', async () => {
    const running = await start(
      [RocketMQModule.forRoot(options(own, { nameServer: own.nameServerEndpoint }))],
      [Operator],
    );
    const { admin } = running.get(Operator);
    expect(admin).toBeInstanceOf(RocketMQAdmin);
    await admin.createTopic({ topic: 'made', type: 'normal' });
    expect(await admin.describeTopic('made')).toMatchObject({ topic: 'made' });
  });

  it('is rejected without name servers, naming the class that injects it', async () => {
    const imports = [RocketMQModule.forRoot(options(own))];
    await expect(start(imports, [Operator])).rejects.toThrow(/NO_NAME_SERVER.*Operator injects.*option nameServer/);
    const made: Provider = {
      provide: 'MADE',
      inject: [getRocketMQAdminToken()],
      useFactory: (admin: unknown) => ({ admin }),
    };
    await expect(start(imports, [made])).rejects.toThrow(/NO_NAME_SERVER.*MADE injects/);
    expect(await start(imports, [])).toBeDefined();
  });

  it('belongs to the named connection', async () => {
    class Operators {
      constructor(@InjectRocketMQAdmin('eu') readonly admin: RocketMQAdmin) {}
    }
    const named = (more: Partial<RocketMQModuleOptions>) => [
      RocketMQModule.forRoot({ ...options(own, more), name: 'eu' }),
      RocketMQModule.forRoot(options(own)),
    ];
    const running = await start(named({ nameServer: own.nameServerEndpoint }), [Operators]);
    expect(await running.get(Operators).admin.describeTopic('none')).toBeUndefined();
    await running.close();
    await expect(start(named({}), [Operators])).rejects.toThrow(/NO_NAME_SERVER.*Operators/);
  });

  it('administers the embedded broker, too', async () => {
    const app = await compile([RocketMQModule.forRoot(options(own, { endpoints: 'embedded:' }))], [Operator]);
    const { admin } = app.get(Operator);
    expect(admin).toBeInstanceOf(RocketMQAdmin);
    await expect(admin.describeTopic('made')).rejects.toThrow(/NOT_RUNNING/);
    await app.init();
    await admin.createTopic({ topic: 'made', type: 'fifo' });
    expect(await admin.describeTopic('made')).toMatchObject({ type: 'fifo' });
  });

  it.each([
    ['its cluster', undefined],
    ['an embedded broker', 'embedded:'],
    ['an embedded broker with a folder', 'embedded:FOLDER'],
  ])('is what the log line of a dead letter leads to, on %s', async (_, place) => {
    const folder = mkdtempSync(join(tmpdir(), 'connections-'));
    folders.push(folder);
    const endpoints = place?.replace('FOLDER', folder);
    const logger = recordingLogger();
    @Injectable()
    class Till extends Operator {
      @RocketMQListener('charged', { consumerGroup: 'till', maxAttempts: 1 })
      charge(): never {
        throw new Error('declined');
      }
    }
    const { nameServerEndpoint: nameServer } = own;
    const given = options(own, endpoints === undefined ? { nameServer, logger } : { endpoints, logger });
    const app = await start([RocketMQModule.forRoot(given)], [Till]);
    await app.get(RocketMQProducer).send({ topic: 'charged', body: '1' });
    const lineOf = () => logger.lines.map(([line]) => line).find((line) => line.includes('dead-lettered'));
    await until(() => lineOf() !== undefined);
    // The next start of an embedded one, with the cause corrected, has another port.
    const next: Record<string, string> = {
      'embedded:': "keeps it beyond this process only with a folder (endpoints: 'embedded:./data')",
      'embedded:FOLDER': 'the folder of the embedded broker keeps it',
    };
    expect(lineOf()).toContain(place === undefined ? `dlq replay till --name-server ${nameServer}` : next[place]);
  });
});
