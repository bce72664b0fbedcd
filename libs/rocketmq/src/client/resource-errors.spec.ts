import { describe, expect, it } from '@jest/globals';
import {
  consumerGroupNotFifo,
  consumerGroupNotFound,
  consumerGroupWithoutAttempts,
  topicNotFound,
  topicTypeMismatch,
} from './resource-errors.js';

describe('an error about a missing or different topic or group', () => {
  it('quotes a name in its command that a shell would not read as one word', () => {
    const on = '--name-server NAMESERVER:9876';
    expect(topicNotFound('a|b', undefined).command).toBe(`npx nestjs-rocketmq topic create 'a|b' --type normal ${on}`);
    expect(topicTypeMismatch('a|b', 'fifo', []).command).toContain(`topic create 'a|b' --type fifo --yes ${on}`);
    expect(consumerGroupNotFound('a|b', true).command).toBe(`npx nestjs-rocketmq group create 'a|b' --fifo ${on}`);
    expect(consumerGroupNotFifo('a|b', 'broker-a').command).toContain(`group create 'a|b' --fifo --yes ${on}`);
    expect(consumerGroupWithoutAttempts('a|b', 'broker-a').command).toContain(
      `group create 'a|b' --max-attempts 17 --yes ${on}`,
    );
  });
});
