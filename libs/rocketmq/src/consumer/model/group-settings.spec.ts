import { beforeEach, describe, expect, it } from '@jest/globals';
import { endpointKey, parseEndpoints } from '../../client/endpoint.js';
import type { Settings } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { SECOND_MS } from '../../support/clock.js';
import { commandLine } from '../../support/command-line.js';
import { silentLogger } from '../../support/logger.js';
import { GroupSettings } from './group-settings.js';
import { DEFAULT_SETTINGS, liteConsumerSettings } from './settings.js';

const A = endpointAt(1);
const B = endpointAt(2);
const DEFAULT = DEFAULT_SETTINGS.maxAttempts;

function endpointAt(port: number) {
  return parseEndpoints(`127.0.0.1:${port}`);
}

function answer({ fifo = false, maxAttempts = DEFAULT, waitMs = SECOND_MS }): Settings {
  const next = [{ seconds: BigInt(waitMs / SECOND_MS), nanos: 0 }];
  const backoffPolicy = { maxAttempts, strategy: { $case: 'customizedBackoff', value: { next } } };
  return { backoffPolicy, pubSub: { $case: 'subscription', value: { fifo } } } as unknown as Settings;
}

describe('the settings of a group', () => {
  let lines: { level: string; text: string; fields: Record<string, unknown> }[];

  beforeEach(() => {
    lines = [];
  });

  function settings(read?: typeof liteConsumerSettings): GroupSettings {
    const note =
      (level: string) =>
      (text: string, fields = {}): void =>
        void lines.push({ level, text, fields });
    const logger = { ...silentLogger, info: note('info'), warn: note('warn') };
    const nameOf = (server: typeof A): string => (endpointKey(server) === endpointKey(A) ? 'A' : 'B');
    return new GroupSettings({
      consumerGroup: 'shop',
      logger,
      command: commandLine,
      read,
      nameOf,
      refresh: async () => {},
    });
  }

  it('are repeated to a server that has said them, unless it would assume the same by itself', () => {
    const group = settings();
    const ordered = answer({ fifo: true, maxAttempts: 3 });
    expect(group.learn(A, answer({}))).toBe(false);
    expect(group.confirmed(A)).toEqual({ backoffPolicy: undefined });
    expect([group.learn(A, ordered), group.learn(A, answer({ fifo: true, maxAttempts: 3 }))]).toEqual([true, false]);
    expect(group.confirmed(A)).toEqual({ backoffPolicy: ordered.backoffPolicy, fifo: true });
    expect(group.confirmed(B)).toEqual({ backoffPolicy: undefined });
    const unordered = answer({ maxAttempts: 3 });
    expect([group.learn(A, unordered), group.confirmed(A)]).toEqual([true, { backoffPolicy: unordered.backoffPolicy }]);
    expect([group.learn(A, answer({})), group.confirmed(A)]).toEqual([true, { backoffPolicy: undefined }]);
  });

  it('are a warning with the command when the only server no longer orders the group, and say so when it does again', () => {
    const group = settings();
    group.learn(A, answer({ fifo: true }));
    group.started();
    group.learn(A, answer({ fifo: true }));
    expect(lines).toEqual([]);
    group.learn(A, answer({ fifo: false }));
    group.learn(A, answer({ fifo: true }));
    expect(lines).toMatchObject([
      {
        level: 'warn',
        text: expect.stringContaining('no longer orders'),
        fields: { server: 'A', ordered: 'yes before, no now', command: expect.stringContaining('shop --fifo --yes') },
      },
      { level: 'info', fields: { server: 'A', ordered: 'no before, yes now' } },
    ]);
  });

  it('are a warning with the command where an ordered group has one attempt, at the start and later', () => {
    const [one, more] = [answer({ fifo: true, maxAttempts: 1 }), answer({ fifo: true })];
    const group = settings();
    group.learn(A, one);
    group.started();
    group.learn(A, one);
    const warning = {
      level: 'warn',
      text: expect.stringContaining('has one attempt on a server'),
      fields: {
        server: 'A',
        command: expect.stringContaining('group create shop --fifo --max-attempts 17 --yes'),
      },
    };
    expect(lines).toMatchObject([warning]);
    group.learn(A, more);
    group.learn(A, one);
    expect(lines.slice(1)).toMatchObject([{ level: 'info' }, { level: 'info' }, warning]);
  });

  it('are no such warning in groups that are not ordered, or of lite topics', () => {
    for (const [read, fifo] of [
      [undefined, false],
      [liteConsumerSettings, true],
    ] as const) {
      const group = settings(read);
      group.learn(A, answer({ fifo, maxAttempts: 1 }));
      group.started();
    }
    expect(lines).toEqual([]);
  });

  it('stay in force for what a server has handed out that is in no route any more, and count no more otherwise', () => {
    const group = settings();
    group.learn(A, answer({ fifo: true, maxAttempts: 3 }));
    group.learn(B, answer({ fifo: false }));
    group.started();
    group.forget(A);
    expect(group.at(A)).toMatchObject({ isFifo: true, maxAttempts: 3 });
    expect([group.isOrdered(), group.isOrdered(A), group.all().length]).toEqual([false, true, 1]);
    expect(lines.at(-1)?.text).toContain('all servers have the same settings');
  });

  it('name no command that would order a group of lite topics', () => {
    const group = settings(liteConsumerSettings);
    group.learn(A, answer({ maxAttempts: 3 }));
    group.learn(B, answer({}));
    group.started();
    expect(lines[0]?.fields.command).toContain('group create shop --max-attempts 17 --yes');
  });

  it('name the call that sets a backoff, which no command does', () => {
    const group = settings();
    group.learn(A, answer({}));
    group.learn(B, answer({ waitMs: 5 * SECOND_MS }));
    group.started();
    const [warning] = lines;
    expect(warning?.fields.command).toBeUndefined();
    expect(warning?.fields.call).toBe(`admin.createGroup({ consumerGroup: "shop", backoff }, { ifExists: 'update' })`);
  });
});
