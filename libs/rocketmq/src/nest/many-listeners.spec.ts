import { expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { closeApp } from '../../../../test/fixtures/close-app.js';
import { defineTopic, RocketMQListener, RocketMQModule, RocketMQProducer } from '../entries/nest.js';
import { silentLogger } from '../support/logger.js';
import { TestBroker } from '../testing/test-broker.js';

it('starts many listeners, and sends at once, without a warning of Node', async () => {
  const warnings: string[] = [];
  const onWarning = ({ message }: Error): void => void warnings.push(message);
  process.on('warning', onWarning);
  const broker = await TestBroker.start();
  const topics = Array.from({ length: 15 }, (_, index) => defineTopic<number>(`topic-${index}`, { type: 'normal' }));
  const providers = topics.map((topic) => {
    class Listener {
      @RocketMQListener(topic, { consumerGroup: topic.name, name: topic.name })
      handle(): void {}
    }
    return { provide: `listener of ${topic.name}`, useClass: Listener };
  });
  const app = await Test.createTestingModule({
    imports: [RocketMQModule.forRoot({ endpoints: broker.endpoints, logger: silentLogger, topics })],
    providers,
  }).compile();
  try {
    await app.init();
    await Promise.all(topics.map((topic) => app.get(RocketMQProducer).send(topic, 1)));
    await broker.idle();
    // Node reports them in a later turn.
    await new Promise(setImmediate);
    expect(warnings).toEqual([]);
  } finally {
    process.off('warning', onWarning);
    await closeApp(app);
    await broker.stop();
  }
});
