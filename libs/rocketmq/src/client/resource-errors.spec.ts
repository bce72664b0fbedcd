import { describe, expect, it } from '@jest/globals';
import {
  consumerGroupNotFifo,
  consumerGroupNotFound,
  consumerGroupWithoutAttempts,
  everyPart,
  ResourceError,
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

  it('names all that is missing, each once, with one block of commands', () => {
    const [a, b, group] = [
      topicNotFound('a', 'fifo'),
      topicNotFound('b', undefined),
      consumerGroupNotFound('g', false),
    ];
    const all = ResourceError.together([a, topicNotFound('a', undefined), b, group, group]);
    expect(all.command).toBe([a, b, group].map(({ command }) => command).join(' && '));
    expect(all.message).toMatch(
      /^\[TOPIC_NOT_FOUND\] topic "a" does not exist on this cluster; topic "b" does not exist on this cluster, or was .* after that; consumer group "g" /,
    );
    expect(all.message.split('created a moment ago')).toHaveLength(2);
    expect(JSON.parse(JSON.stringify(all))).toEqual({
      name: 'ResourceError',
      message: all.message,
      code: 'TOPIC_NOT_FOUND',
      outcome: 'rejected',
      retryable: false,
      command: all.command,
    });
  });

  it('names the name servers that its application knows, quoted for a shell', () => {
    const [topic, group] = [topicNotFound('a', 'fifo', new Error('why')), consumerGroupNotFound('g', false)];
    const all = ResourceError.together([topic, group]).on('ns-1:9876;ns-2:9876');
    expect(all.command).toBe(
      "npx nestjs-rocketmq topic create a --type fifo --name-server 'ns-1:9876;ns-2:9876' && " +
        "npx nestjs-rocketmq group create g --name-server 'ns-1:9876;ns-2:9876'",
    );
    expect(all.message).toContain(`to fix it, run:\n\n${all.command.replaceAll(' && ', ' &&\n')}\n`);
    expect(all).toMatchObject({ code: 'TOPIC_NOT_FOUND', cause: topic.cause });
  });

  it('stays as it is alone', () => {
    const alone = topicNotFound('a', undefined);
    expect(ResourceError.together([alone])).toBe(alone);
    expect(ResourceError.together([alone, topicNotFound('a', undefined)])).toBe(alone);
  });
});

describe('parts of a start', () => {
  it('fail with what is missing, in their order, whatever else fails', async () => {
    const [a, b] = [topicNotFound('a', undefined), topicNotFound('b', undefined)];
    const late = Promise.resolve().then(() => Promise.reject(a));
    await expect(everyPart([late, Promise.reject(b)])).rejects.toThrow(/"a".*"b"/);
    await expect(everyPart([Promise.reject(b), Promise.reject(new Error('away'))])).rejects.toBe(b);
    await expect(everyPart([Promise.resolve(), Promise.reject(new Error('away'))])).rejects.toThrow('away');
    await expect(everyPart([Promise.resolve()])).resolves.toBeUndefined();
  });
});
