// nestjs-pino as the logger of the application: `node pino.mjs FOLDER`. A failed message is one line with its fields. Plain
// JavaScript, without a runner; FOLDER is a project with nestjs-pino.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { Writable } from 'node:stream';
import { pathToFileURL } from 'node:url';

const { resolve: find } = createRequire(join(resolve(process.argv[2] ?? '.'), 'package.json'));
const load = (/** @type {string} */ name) => import(pathToFileURL(find(name)).href);

await load('reflect-metadata');
const { Test } = await load('@nestjs/testing');
const { Logger, LoggerModule } = await load('nestjs-pino');
const { DeadLetterError, RocketMQListener, RocketMQModule, RocketMQProducer } = await load('nestjs-rocketmq');
const { TestBroker } = await load('nestjs-rocketmq/testing');

class Orders {
  async handle() {
    throw new DeadLetterError('nobody knows it');
  }
}
const { prototype } = Orders;
RocketMQListener('orders', { consumerGroup: 'shop' })(
  prototype,
  'handle',
  Object.getOwnPropertyDescriptor(prototype, 'handle'),
);

/** @type {Record<string, unknown>[]} */
const lines = [];
const stream = new Writable({
  write(chunk, _encoding, done) {
    lines.push(JSON.parse(chunk.toString()));
    done();
  },
});

const broker = await TestBroker.start({ manualClock: true });
const { endpoints, clock } = broker;
const app = await Test.createTestingModule({
  imports: [
    LoggerModule.forRoot({ pinoHttp: { level: 'debug', stream } }),
    RocketMQModule.forRoot({ endpoints, clock }),
  ],
  providers: [Orders],
}).compile();
app.useLogger(app.get(Logger));
await app.init();
const { messageId } = await app.get(RocketMQProducer).send({ topic: 'orders', body: '1', keys: ['a'] });
await broker.idle();
await app.close();
await broker.stop();

const logged = lines.filter(({ level, messageId: id }) => Number(level) >= 50 && id === messageId);
assert.ok(logged.length > 0, JSON.stringify(lines));
for (const line of logged) {
  assert.equal(line.context, 'RocketMQ');
  assert.equal(line.topic, 'orders');
  assert.equal(line.error, 'nobody knows it');
}
