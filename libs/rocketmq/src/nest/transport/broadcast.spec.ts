// Listeners that every instance of an application has, and the groups that they need.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, type INestApplication, Injectable, type Provider, type Type } from '@nestjs/common';
import { EventPattern } from '@nestjs/microservices';
import { NestBench, recordingLogger } from '../../../../../test/fixtures/nest-bench.js';
import { until } from '../../../../../tools/until.js';
import { RocketMQAdmin } from '../../entries/admin.js';
import {
  DeadLetterError,
  RocketMQListener,
  type RocketMQModuleOptions,
  RocketMQProducer,
  ServerRocketMQ,
} from '../../entries/nest.js';

let bench: NestBench;
let admin: RocketMQAdmin;

beforeEach(async () => {
  bench = await NestBench.open({ nameServerPort: 0 });
  admin = new RocketMQAdmin({ nameServer: bench.broker.nameServerEndpoint });
});
afterEach(async () => {
  await admin.close();
  await bench.close();
});

interface Instance {
  readonly providers?: Provider[];
  readonly controllers?: Type[];
  readonly options?: Partial<RocketMQModuleOptions>;
}

function start({ providers = [], controllers = [], options = {} }: Instance): Promise<INestApplication> {
  const nameServer = bench.broker.nameServerEndpoint;
  return bench.start({ providers, controllers, options: { nameServer, consumerGroup: 'shop', ...options } });
}

async function groups(): Promise<string[]> {
  return (await admin.listGroups()).groups.map(({ consumerGroup }) => consumerGroup);
}

function cache(heard: string[], name: string): Type {
  @Injectable()
  class Cache {
    @RocketMQListener('prices', { mode: 'broadcast' })
    changed(body: string): void {
      heard.push(`${name} ${body}`);
    }
  }
  return Cache;
}

describe('a broadcast listener', () => {
  it('receives in every instance every message that is sent while the instance runs', async () => {
    const heard: string[] = [];
    bench.broker.declareTopic({ name: 'prices' });
    const sender = await start({});
    await bench.send(sender, 'prices', '"before"');
    await start({ providers: [cache(heard, 'a')] });
    await start({ providers: [cache(heard, 'b')] });
    await bench.send(sender, 'prices', '"one"', '"two"');
    expect(heard.sort()).toEqual(['a one', 'a two', 'b one', 'b two']);
  });

  it('has a group of its own, with an unguessable name, until the instance shuts down', async () => {
    const app = await start({ providers: [cache([], 'a')] });
    await start({ providers: [cache([], 'b')] });
    const during = await groups();
    expect(during).toHaveLength(2);
    for (const group of during) expect(group).toMatch(/^shop-broadcast-[0-9a-f]{20}$/);
    expect(new Set(during).size).toBe(2);
    await app.close();
    expect(await groups()).toHaveLength(1);
    await bench.closeApps();
    expect(await groups()).toEqual([]);
  });

  it('runs beside a shared one of the same name', async () => {
    const heard: string[] = [];
    @Injectable()
    class Shared {
      @RocketMQListener('prices')
      changed(body: string): void {
        heard.push(`shared ${body}`);
      }
    }
    const app = await start({ providers: [Shared, cache(heard, 'broadcast')] });
    await bench.send(app, 'prices', '"one"');
    expect(heard.sort()).toEqual(['broadcast one', 'shared one']);
  });

  it('can be a handler of the transport strategy', async () => {
    const heard: unknown[] = [];
    @Controller()
    class Cache {
      @EventPattern<string>('prices', { mode: 'broadcast' })
      changed(body: unknown): void {
        heard.push(body);
      }
    }
    const nameServer = bench.broker.nameServerEndpoint;
    const app = await bench.start({
      controllers: [Cache],
      options: { nameServer, consumerGroup: 'shop' },
      prepare: (made) => void made.connectMicroservice({ strategy: made.get(ServerRocketMQ) }),
    });
    await app.startAllMicroservices();
    await bench.send(app, 'prices', '1');
    expect(heard).toEqual([1]);
  });

  it('is rejected at startup where its group cannot be created', async () => {
    await expect(start({ providers: [cache([], 'a')], options: { nameServer: undefined } })).rejects.toThrow(
      /NO_NAME_SERVER.*Cache\.changed \(mode: 'broadcast'\).*option nameServer/,
    );
    expect(() => RocketMQListener('prices', { mode: 'all' as 'broadcast' })).not.toThrow();
    @Injectable()
    class Wrong {
      @RocketMQListener('prices', { mode: 'all' as 'broadcast' })
      changed(): void {}
    }
    await expect(start({ providers: [Wrong] })).rejects.toThrow(/option mode must be shared or broadcast, not "all"/);
  });

  it('works with the embedded broker, without a name server', async () => {
    const heard: string[] = [];
    const options = { endpoints: 'embedded:', nameServer: undefined };
    const app = await start({ providers: [cache(heard, 'a')], options });
    await app.get(RocketMQProducer).send({ topic: 'prices', body: '"one"' });
    await until(() => heard.length > 0);
    expect(heard).toEqual(['a one']);
  });

  it('leaves no group behind when startup fails', async () => {
    @Injectable()
    class Fails {
      onApplicationBootstrap(): void {}

      @RocketMQListener('plain', { maxAttempts: 99, consumerGroup: 'fails' })
      handle(): void {}
    }
    await expect(start({ providers: [cache([], 'a'), Fails] })).rejects.toThrow(/99/);
    expect((await groups()).filter((group) => group.includes('broadcast'))).toEqual([]);
  });

  it('logs a group that cannot be deleted at shutdown', async () => {
    const logger = recordingLogger();
    const app = await start({ providers: [cache([], 'a')], options: { logger } });
    await app.get(ServerRocketMQ).close();
    const stopped = bench.broker.stop();
    await app.close();
    await stopped;
    const warning = logger.lines.find(([line]) => line.includes('could not be deleted'));
    expect(warning?.[1].consumerGroup).toMatch(/^shop-broadcast-/);
  });
});

describe('a broadcast listener without a proxy', () => {
  const byName = () => ({ endpoints: `name-server:${bench.broker.nameServerEndpoint}`, nameServer: undefined });

  it.each([
    ['4.9.7', 407],
    ['5.5.0', 513],
  ])('shares a group with all instances, on %s, which nobody creates or deletes', async (_, release) => {
    const heard: string[] = [];
    bench.broker.broker.inside.stateRelease(release);
    bench.broker.declareTopic({ name: 'prices' });
    const sender = await start({});
    await bench.send(sender, 'prices', '"before"');
    await start({ providers: [cache(heard, 'a')], options: byName() });
    const second = await start({ providers: [cache(heard, 'b')], options: byName() });
    for (const body of ['"one"', '"two"']) await sender.get(RocketMQProducer).send({ topic: 'prices', body });
    await until(() => heard.length === 4);
    expect(heard.sort()).toEqual(['a one', 'a two', 'b one', 'b two']);
    expect(await groups()).toEqual(['shop-broadcast']);
    await second.close();
    await sender.get(RocketMQProducer).send({ topic: 'prices', body: '"three"' });
    await until(() => heard.length === 5);
    expect(heard.at(-1)).toBe('a three');
    expect(await groups()).toEqual(['shop-broadcast']);
  });

  it('runs beside a shared one of the same name', async () => {
    const heard: string[] = [];
    bench.broker.broker.inside.stateRelease(407);
    bench.broker.declareTopic({ name: 'prices' });
    @Injectable()
    class Shared {
      @RocketMQListener('prices')
      changed(body: string): void {
        heard.push(`shared ${body}`);
      }
    }
    // A new group would begin where its first pull finds the end.
    await admin.createGroup({ consumerGroup: 'shop' });
    await admin.rewindGroup({ consumerGroup: 'shop', topic: 'prices', to: { kind: 'beginning' } });
    const app = await start({ providers: [Shared, cache(heard, 'broadcast')], options: byName() });
    const bodies = Array.from({ length: 16 }, (_, number) => `${number}`);
    for (const body of bodies) await app.get(RocketMQProducer).send({ topic: 'prices', body: JSON.stringify(body) });
    await until(() => heard.length === 32);
    expect(heard.sort()).toEqual(bodies.flatMap((body) => [`broadcast ${body}`, `shared ${body}`]).sort());
  });

  it('keeps its dead letters in its deadLetterTopic, and drops them without one', async () => {
    const logger = recordingLogger();
    bench.broker.declareTopic({ name: 'prices' });
    bench.broker.declareTopic({ name: 'rejected-prices' });
    @Injectable()
    class Cache {
      @RocketMQListener('prices', { mode: 'broadcast', deadLetterTopic: 'rejected-prices' })
      kept(): void {
        throw new DeadLetterError('wrong');
      }

      @RocketMQListener('prices', { mode: 'broadcast', consumerGroup: 'other' })
      dropped(): void {
        throw new DeadLetterError('wrong');
      }
    }
    const app = await start({ providers: [Cache], options: { ...byName(), logger } });
    await app.get(RocketMQProducer).send({ topic: 'prices', body: '"one"' });
    const isDropped = () => logger.lines.filter(([line]) => line.includes('dead letter of a broadcast is dropped'));
    await until(() => isDropped().length > 0 && bench.broker.messages('rejected-prices').length > 0);
    expect(bench.broker.messages('rejected-prices').map(({ body }) => body.toString())).toEqual(['"one"']);
    expect(isDropped()).toMatchObject([[expect.any(String), { consumerGroup: 'other-broadcast', topic: 'prices' }]]);
  });

  it('cannot have the group of a shared one that is named like it', async () => {
    @Injectable()
    class Both {
      @RocketMQListener('prices', { mode: 'broadcast' })
      all(): void {}

      @RocketMQListener('orders', { consumerGroup: 'shop-broadcast' })
      share(): void {}
    }
    await expect(start({ providers: [Both], options: byName() })).rejects.toThrow(
      /LISTENERS_DISAGREE.*disagree on mode/,
    );
  });
});

describe('a group whose members have different subscriptions', () => {
  @Injectable()
  class Old {
    @RocketMQListener('orders', { filter: 'a' })
    handle(): void {}
  }
  @Injectable()
  class New {
    @RocketMQListener('orders', { filter: 'a || b' })
    handle(): void {}
  }

  const warnings = (logger: ReturnType<typeof recordingLogger>): string[] =>
    logger.lines
      .map(([line]) => line)
      .filter((line) => line.startsWith('warn') && line.includes('whose subscriptions differ'));

  it('is logged by the member that joins last', async () => {
    const logger = recordingLogger();
    await start({ providers: [Old] });
    await start({ providers: [New], options: { logger } });
    expect(warnings(logger)).toEqual([
      'warn consumer group "shop" has members whose subscriptions differ from those of this instance (topic "orders": other ' +
        'members have "a", this instance has "a || b"); while both run, messages are lost silently. Use a new consumer group ' +
        'for a new filter or a new topic',
    ]);
  });

  it('is not logged for members that agree, or without nameServer', async () => {
    const logger = recordingLogger();
    await start({ providers: [New] });
    await start({ providers: [New], options: { logger } });
    await start({ providers: [Old], options: { logger, nameServer: undefined } });
    expect(warnings(logger)).toEqual([]);
  });
});
