// Applications that send requests and applications that answer them, on one broker with a manual clock.

import { afterEach, beforeEach } from '@jest/globals';
import { type INestApplicationContext, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClientProxyFactory, ClientsModule } from '@nestjs/microservices';
import {
  ClientRocketMQ,
  RocketMQModule,
  type RocketMQModuleOptions,
  RocketMQRequester,
  ServerRocketMQ,
} from '../../libs/rocketmq/src/entries/nest.js';
import { silentLogger } from '../../libs/rocketmq/src/support/logger.js';
import { TestBroker } from '../../libs/rocketmq/src/testing/test-broker.js';

/** An application that sends requests with a client of the module's connection. */
export interface Asking {
  readonly app: INestApplicationContext;
  readonly client: ClientRocketMQ;
  readonly requester: RocketMQRequester;
}

/** Creates a broker for each spec of a file, and closes the applications that a spec creates. */
export class ClientBench {
  broker!: TestBroker;
  /** Applications to close after the spec. */
  readonly apps: { close(): Promise<void> }[] = [];

  /** Registers the hooks of each spec. */
  static ofFile(): ClientBench {
    const bench = new ClientBench();
    beforeEach(async () => {
      bench.broker = await TestBroker.start({ adminPort: 0 });
    });
    afterEach(async () => {
      for (const app of bench.apps.splice(0).reverse()) await app.close();
      await bench.broker.stop();
    });
    return bench;
  }

  options(more: Partial<RocketMQModuleOptions> = {}): RocketMQModuleOptions {
    const { endpoints, adminEndpoint: nameServer } = this.broker;
    return { endpoints, nameServer, consumerGroup: 'shop', logger: silentLogger, ...more };
  }

  /** An application with the handlers. */
  async server(controller: Type, more: Partial<RocketMQModuleOptions> = {}): Promise<INestApplicationContext> {
    @Module({ imports: [RocketMQModule.forRoot(this.options(more))], controllers: [controller] })
    class ServerModule {}
    const app = await NestFactory.create(ServerModule, { logger: false, abortOnError: false });
    this.apps.push(app);
    app.connectMicroservice({ strategy: app.get(ServerRocketMQ) });
    await app.startAllMicroservices();
    await app.init();
    return app;
  }

  async asking(more: Partial<RocketMQModuleOptions> = {}): Promise<Asking> {
    const register = ClientsModule.registerAsync([
      {
        name: 'SHOP',
        inject: [RocketMQRequester],
        useFactory: (requester: RocketMQRequester) => ({ customClass: ClientRocketMQ, options: { requester } }),
      },
    ]);
    const rocketmq = RocketMQModule.forRoot(this.options({ requests: { application: 'desk' }, ...more }));
    @Module({ imports: [rocketmq, register] })
    class AskingModule {}
    const app = await NestFactory.createApplicationContext(AskingModule, { logger: false, abortOnError: false });
    this.apps.push(app);
    return { app, client: app.get<ClientRocketMQ>('SHOP'), requester: app.get(RocketMQRequester) };
  }

  /** A client with its own connection, without an application. */
  own(more: object = {}): ClientRocketMQ {
    const { endpoints, adminEndpoint: nameServer } = this.broker;
    const given = { endpoints, nameServer, logger: silentLogger, requests: { application: 'own' }, ...more };
    const client = ClientProxyFactory.create({ customClass: ClientRocketMQ, options: given }) as ClientRocketMQ;
    this.apps.push(client);
    return client;
  }
}
