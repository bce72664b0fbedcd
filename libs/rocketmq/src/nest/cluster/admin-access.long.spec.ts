import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { TestBroker } from '../../testing/test-broker.js';
import { RocketMQModule } from '../module/rocketmq.module.js';
import { checkOptions } from '../runtime/module-options.js';
import { RocketMQProducer } from '../sending/rocketmq-producer.js';
import { AdminAccess } from './admin-access.js';

describe('the module option nameServer', () => {
  let broker: TestBroker;

  beforeEach(async () => {
    broker = await TestBroker.start({ nameServerPort: 0 });
  });

  afterEach(() => broker.stop());

  it('provides the versions of the brokers', async () => {
    const nameServer = broker.nameServerEndpoint;
    const admin = await new AdminAccess(checkOptions({ endpoints: broker.endpoints, nameServer })).ofCluster();
    await expect(admin?.brokerVersions()).resolves.toMatchObject({ keepBatches: true });
    await admin?.close();
  });

  it('is not needed, and ignored, with the embedded broker', async () => {
    const { endpoints, nameServerEndpoint: nameServer } = broker;
    expect(await new AdminAccess(checkOptions({ endpoints })).ofCluster()).toBeUndefined();
    expect(await new AdminAccess(checkOptions({ endpoints: 'embedded:', nameServer })).ofCluster()).toBeUndefined();
  });

  async function run(nameServer: string): Promise<string> {
    const options = { endpoints: broker.endpoints, nameServer };
    const module = await Test.createTestingModule({ imports: [RocketMQModule.forRoot(options)] }).compile();
    try {
      await module.init();
      const { messageId } = await module.get(RocketMQProducer).send({ topic: 'orders', body: 'x' });
      return messageId;
    } finally {
      await module.close();
    }
  }

  it('leaves nothing open after the application', async () => {
    expect(await run(broker.nameServerEndpoint)).not.toBe('');
  });

  it('fails the startup when it is not an address', async () => {
    await expect(run('http://somewhere')).rejects.toThrow('nameServer');
  });
});
