import { describe, expect, it } from '@jest/globals';
import { commandLine, UNKNOWN_NAME_SERVER } from '../support/command-line.js';
import {
  consumerGroupNotFifo,
  consumerGroupNotFound,
  consumerGroupWithoutAttempts,
  everyPart,
  ResourceError,
  topicNotFound,
  topicTypeMismatch,
} from './resource-errors.js';

const ON = (...words: readonly string[]): string => commandLine(...words, '--name-server', 'ns-1:9876');
const UNKNOWN = (...words: readonly string[]): string => commandLine(...words, '--name-server', UNKNOWN_NAME_SERVER);

describe('an error about a missing or different topic or group', () => {
  it('quotes a name in its command that a shell would not read as one word', () => {
    const on = '--name-server ns-1:9876';
    expect(topicNotFound(ON, 'a|b', undefined, true).command).toBe(
      `npx nestjs-rocketmq topic create 'a|b' --type normal ${on}`,
    );
    expect(topicTypeMismatch(ON, 'a|b', 'fifo', []).command).toContain(`topic create 'a|b' --type fifo --yes ${on}`);
    expect(consumerGroupNotFound(ON, 'a|b', true).command).toBe(`npx nestjs-rocketmq group create 'a|b' --fifo ${on}`);
    expect(consumerGroupNotFifo(ON, 'a|b', 'broker-a').command).toContain(`group create 'a|b' --fifo --yes ${on}`);
    expect(consumerGroupWithoutAttempts(ON, 'a|b', 'broker-a').command).toContain(
      `group create 'a|b' --max-attempts 17 --yes ${on}`,
    );
  });

  it('names all that is missing, each once, with one block of commands', () => {
    const [a, b, group] = [
      topicNotFound(ON, 'a', 'fifo', true),
      topicNotFound(ON, 'b', undefined, true),
      consumerGroupNotFound(ON, 'g', false),
    ];
    const all = ResourceError.together([a, topicNotFound(ON, 'a', undefined, true), b, group, group]);
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

  it('has a line for each of several commands, and says what to put in where no name server is known', () => {
    const [topic, group] = [
      topicNotFound(UNKNOWN, 'a', 'fifo', true, new Error('why')),
      consumerGroupNotFound(ON, 'g', false),
    ];
    const all = ResourceError.together([topic, group]);
    const lines = all.command.replace(' && ', ' &&\n');
    const put = 'with the address of a name server for NAMESERVER:9876 (the option nameServer puts it in)';
    expect(all.message).toContain(`to fix it, run, ${put}:\n\n${lines}\n`);
    expect(group.message).toContain(`to fix it, run: ${group.command}`);
    expect(all).toMatchObject({ code: 'TOPIC_NOT_FOUND', cause: topic.cause });
  });

  it('stays as it is alone', () => {
    const alone = topicNotFound(ON, 'a', undefined, true);
    expect(ResourceError.together([alone])).toBe(alone);
    expect(ResourceError.together([alone, topicNotFound(ON, 'a', undefined, true)])).toBe(alone);
  });
});

describe('parts of a start', () => {
  it('fail with what is missing, in their order, whatever else fails', async () => {
    const [a, b] = [topicNotFound(ON, 'a', undefined, true), topicNotFound(ON, 'b', undefined, true)];
    const late = Promise.resolve().then(() => Promise.reject(a));
    await expect(everyPart([late, Promise.reject(b)])).rejects.toThrow(/"a".*"b"/);
    await expect(everyPart([Promise.reject(b), Promise.reject(new Error('away'))])).rejects.toBe(b);
    await expect(everyPart([Promise.resolve(), Promise.reject(new Error('away'))])).rejects.toThrow('away');
    await expect(everyPart([Promise.resolve()])).resolves.toBeUndefined();
  });
});
