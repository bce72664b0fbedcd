// The start of the transport strategy: what is rejected, which enhancers apply to its handlers, when they receive messages.

import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  type CanActivate,
  Controller,
  type ExecutionContext,
  Injectable,
  type OnApplicationBootstrap,
  Scope,
  type Type,
  UseGuards,
} from '@nestjs/common';
import { APP_GUARD, NestFactory } from '@nestjs/core';
import { EventPattern, MessagePattern } from '@nestjs/microservices';
import { firstValueFrom } from 'rxjs';
import { recordingLogger } from '../../../../../test/fixtures/nest-bench.js';
import { isNest10 } from '../../../../../test/fixtures/nest-version.js';
import { PatternBench } from '../../../../../test/fixtures/pattern-bench.js';
import { RocketMQListener, RocketMQProducer, ServerRocketMQ } from '../../entries/nest.js';

const bench = PatternBench.ofFile();

describe('an invalid pattern', () => {
  async function rejectionOf(controller: Type): Promise<string> {
    const app = await bench.hybrid({ controllers: [controller] });
    return app.init().then(
      () => 'accepted',
      (error: Error) => error.message,
    );
  }

  it('is rejected at startup, naming the method and what to do', async () => {
    @Controller()
    class Objects {
      @MessagePattern({ cmd: 'sum' })
      handle(): void {}
    }
    @Controller()
    class Names {
      @EventPattern<string>('no blanks')
      handle(): void {}
    }
    @Controller()
    class Extras {
      @EventPattern<string>('orders', { groupId: 'x' })
      handle(): void {}
    }
    @Controller()
    class Wrong {
      @EventPattern<string>('orders', { concurrency: '16' })
      handle(): void {}
    }
    @Controller()
    class Batches {
      @MessagePattern<string>('orders', { batch: { maxSize: 2, maxWaitMs: 1 } })
      handle(): void {}
    }
    @Controller()
    class Twice {
      @RocketMQListener('orders')
      @EventPattern<string>('orders')
      handle(): void {}
    }
    @Controller()
    class Generates {
      @EventPattern<string>('orders')
      *one(): Generator<number> {
        yield 1;
      }
    }
    @Controller()
    class GeneratesLater {
      @MessagePattern<string>('orders')
      async *one(): AsyncGenerator<number> {
        yield 1;
      }
    }
    @Controller()
    class Same {
      @EventPattern<string>('orders')
      one(): void {}

      @EventPattern<string>('orders:tag')
      other(): void {}
    }
    expect(await rejectionOf(Objects)).toMatch(/ILLEGAL_PATTERN.*Objects\.handle.*"cmd":"sum".*Transport\.TCP/);
    expect(await rejectionOf(Names)).toMatch(/ILLEGAL_PATTERN.*Names\.handle.*"no blanks"/);
    expect(await rejectionOf(Extras)).toMatch(/ILLEGAL_OPTION.*Extras\.handle.*groupId is unknown/);
    expect(await rejectionOf(Wrong)).toMatch(
      /ILLEGAL_OPTION.*Wrong\.handle.*concurrency must be .* not the string "16"/,
    );
    expect(await rejectionOf(Batches)).toMatch(/ILLEGAL_OPTION.*Batches\.handle.*batch/);
    expect(await rejectionOf(Twice)).toMatch(/BOUND_TWICE.*Twice\.handle/);
    expect(await rejectionOf(Generates)).toMatch(/GENERATOR_HANDLER.*Generates\.one \(@EventPattern\)/);
    expect(await rejectionOf(GeneratesLater)).toMatch(/GENERATOR_HANDLER.*GeneratesLater\.one \(@MessagePattern\)/);
    expect(await rejectionOf(Same)).toMatch(/FILTERS_OVERLAP.*Same\.one.*Same\.other/);
  });
});

describe('a global enhancer', () => {
  class Watch implements CanActivate {
    readonly types: string[] = [];

    canActivate(context: ExecutionContext): boolean {
      this.types.push(context.getType());
      return true;
    }
  }

  async function typesSeen(hybridOptions: object, extras: object, byToken: boolean): Promise<string[]> {
    const watch = new Watch();
    @Controller()
    class Orders {
      @EventPattern<string>('orders', extras)
      handle(): void {}
    }
    const providers = byToken ? [{ provide: APP_GUARD, useValue: watch }] : [];
    const app = await NestFactory.create(bench.moduleOf({ controllers: [Orders], providers }), { logger: false });
    bench.apps.push(app);
    if (!byToken) app.useGlobalGuards(watch);
    app.connectMicroservice({ strategy: app.get(ServerRocketMQ) }, hybridOptions);
    await app.startAllMicroservices();
    await app.init();
    await bench.send(app, 'orders', 1);
    await app.close();
    return watch.types;
  }

  it('applies as in Nest: with inheritAppConfig, or when the handler sets globalEnhancers', async () => {
    for (const byToken of [true, false]) {
      expect(await typesSeen({}, {}, byToken)).toEqual([]);
      expect(await typesSeen({ inheritAppConfig: true }, {}, byToken)).toEqual(['rpc']);
      expect(await typesSeen({ inheritAppConfig: true }, { globalEnhancers: false }, byToken)).toEqual([]);
      expect(await typesSeen({}, { globalEnhancers: true }, byToken)).toEqual(['rpc']);
    }
  });

  it('applies where it cannot be detected: when each handler is created for its message', async () => {
    const watch = new Watch();
    @Controller()
    class Http {}
    @Controller({ scope: Scope.REQUEST })
    class Orders {
      @EventPattern<string>('orders')
      handle(): void {}
    }
    const providers = [{ provide: APP_GUARD, useValue: watch }];
    const app = await bench.started({ controllers: [Http, Orders], providers });
    await bench.send(app, 'orders', 1);
    expect(watch.types).toEqual(['rpc']);
  });

  it('applies in an application that consists of the strategy only', async () => {
    const watch = new Watch();
    const own = new Watch();
    @Controller()
    class Orders {
      @EventPattern<string>('orders')
      @UseGuards(own)
      handle(): void {}
    }
    const app = await bench.pure({ controllers: [Orders], providers: [{ provide: APP_GUARD, useValue: watch }] });
    await app.listen();
    await bench.send(app, 'orders', 1);
    expect([watch.types, own.types]).toEqual([['rpc'], ['rpc']]);
  });
});

describe('the start', () => {
  @Controller()
  class Orders {
    static readonly calls: string[] = [];

    @EventPattern<string>('orders')
    handle(): void {
      Orders.calls.push('handled');
    }
  }

  @Injectable()
  class Slow implements OnApplicationBootstrap {
    async onApplicationBootstrap(): Promise<void> {
      await new Promise((resolve) => setTimeout(resolve, 30));
      Orders.calls.push('bootstrapped');
    }
  }

  beforeEach(async () => {
    Orders.calls.length = 0;
    bench.broker.declareTopic({ name: 'orders' });
    const sender = await NestFactory.createApplicationContext(bench.moduleOf({}), { logger: false });
    await sender.get(RocketMQProducer).send({ topic: 'orders', body: '1' });
    await sender.close();
  });

  it('waits until every onApplicationBootstrap has ended, when startAllMicroservices() is called before init()', async () => {
    const app = await bench.hybrid({ controllers: [Orders], providers: [Slow] });
    const statuses: string[] = [];
    app.get(ServerRocketMQ).status.subscribe((status) => statuses.push(status));
    await app.startAllMicroservices();
    expect(statuses).toEqual(['waiting']);
    await app.init();
    await bench.broker.idle();
    expect(Orders.calls).toEqual(['bootstrapped', 'handled']);
    await app.close();
    expect(statuses).toEqual(['waiting', 'listening', 'draining', 'closed']);
  });

  it('happens in startAllMicroservices() when that is called after init()', async () => {
    const app = await bench.hybrid({ controllers: [Orders], providers: [Slow] });
    await app.init();
    await bench.broker.idle();
    expect(Orders.calls).toEqual(['bootstrapped']);
    await app.startAllMicroservices();
    await bench.broker.idle();
    expect(Orders.calls).toEqual(['bootstrapped', 'handled']);
  });

  it('happens in listen() of an application that consists of the strategy only', async () => {
    const app = await bench.pure({ controllers: [Orders], providers: [Slow] });
    await app.listen();
    await bench.broker.idle();
    expect(Orders.calls).toEqual(['bootstrapped', 'handled']);
  });

  (isNest10 ? it.skip : it)(
    'is reported to observers of an application that consists of the strategy only',
    async () => {
      const app = await bench.pure({ controllers: [Orders] });
      await app.listen();
      await expect(firstValueFrom(app.status)).resolves.toBe('listening');
      const closed = new Promise<void>((resolve) => app.on('closed', resolve));
      await app.close();
      await closed;
    },
  );

  it('receives nothing when the strategy is not connected', async () => {
    const app = await NestFactory.create(bench.moduleOf({ controllers: [Orders] }), { logger: false });
    bench.apps.push(app);
    await app.init();
    await bench.broker.idle();
    expect(Orders.calls).toEqual([]);
  });

  it('is rejected for a strategy that is connected after init()', async () => {
    const logger = recordingLogger();
    const app = await NestFactory.create(bench.moduleOf({ controllers: [Orders], options: { logger } }), {
      logger: false,
      abortOnError: false,
    });
    bench.apps.push(app);
    await app.init();
    app.connectMicroservice({ strategy: app.get(ServerRocketMQ) });
    await expect(app.startAllMicroservices()).rejects.toThrow(/CONNECTED_LATE/);
    expect(logger.lines.map(([line]) => line).filter((line) => line.startsWith('error'))).toEqual([
      expect.stringMatching(/^error the microservice did not start: .*CONNECTED_LATE/),
    ]);
  });
});
