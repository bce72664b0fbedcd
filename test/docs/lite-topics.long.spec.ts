// The example of docs/guide/lite-topics.md, run.

import { describe, expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { RocketMQListeners, RocketMQModule } from 'nestjs-rocketmq';
import { Assistant, Gateway } from '../../docs/examples/lite-topics.js';
import { until } from '../../tools/until.js';
import { recordingLogger } from '../fixtures/nest-bench.js';

describe('the example of lite topics', () => {
  it('receives the conversations that somebody is connected to, from their first message on', async () => {
    const options = { endpoints: 'embedded:', logger: recordingLogger() };
    const compiled = await Test.createTestingModule({
      imports: [RocketMQModule.forRoot(options)],
      providers: [Assistant, Gateway],
    }).compile();
    const app = compiled.createNestApplication({ logger: false });
    try {
      await app.init();
      const [assistant, gateway] = [app.get(Assistant), app.get(Gateway)];
      await assistant.answer('ann', ['Good ', 'morning']);
      await assistant.answer('bob', ['not ', 'shown']);
      await gateway.connected('ann');
      await until(() => gateway.shown.get('ann') === 'Good morning');
      expect(app.get(RocketMQListeners).state('answers').liteTopics).toEqual(['ann']);
      await gateway.disconnected('ann');
      expect(app.get(RocketMQListeners).state('answers').liteTopics).toEqual([]);
      expect([...gateway.shown.keys()]).toEqual(['ann']);
    } finally {
      await app.close();
    }
  });
});
