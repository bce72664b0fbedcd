// `group pause` and `group resume`, and what other commands say of a paused group.

import { hostname, userInfo } from 'node:os';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { call, words } from '../../../../test/fixtures/command-line.js';
import { ScriptedCluster } from '../../../../test/fixtures/scripted-cluster.js';
import { TestBroker } from '../entries/testing.js';
import { REQUEST_CODES as CODES } from '../protocol/remoting/codes.js';

let broker: TestBroker;
const scripted = new ScriptedCluster();

beforeEach(async () => {
  broker = await TestBroker.start({ nameServerPort: 0, strict: true });
  broker.declareGroup({ name: 'billing' });
});
afterEach(async () => {
  await scripted.close();
  await broker.stop();
});

const on = (...line: readonly string[]) => call([...line, '--name-server', broker.nameServerEndpoint]);
const group = (line: string, ...more: readonly string[]) => on('group', ...words(line), ...more);
const pause = (...more: readonly string[]) => group('pause billing', '--reason', 'the bank is away', ...more);

describe('a group from the command line', () => {
  it('is paused with a reason and who did it, which is shown, and resumed', async () => {
    const text = /since \d{4}-\S+Z by ada: the bank is away/;
    expect((await pause('--by', 'ada')).out).toMatch(new RegExp(`^group billing is paused ${text.source}\n$`));
    expect((await group('show billing')).out).toMatch(new RegExp(`^paused {4}${text.source}$`, 'm'));
    expect((await group('list')).out).toMatch(/^billing +no +17 +customized +yes +/m);
    const doctor = await call(words(`doctor ${broker.endpoints} --admin ${broker.nameServerEndpoint} --group billing`));
    expect(doctor.out).toMatch(text);
    expect(doctor.out).toContain('npx nestjs-rocketmq group resume billing');
    expect((await group('resume billing')).out).toMatch(
      new RegExp(`^group billing is resumed; it was paused ${text.source}\n$`),
    );
    expect((await group('show billing')).out).not.toContain('paused');
    expect((await group('resume billing')).out).toBe('group billing was not paused\n');
  });

  it('is paused by the user and host unless a name is given', async () => {
    const { out } = await pause('--json');
    expect(JSON.parse(out)).toEqual({
      consumerGroup: 'billing',
      pause: {
        reason: 'the bank is away',
        by: `${userInfo().username}@${hostname()}`,
        sinceMs: expect.any(Number),
      },
    });
    expect(JSON.parse((await group('resume billing --json')).out)).toEqual({
      consumerGroup: 'billing',
      wasPaused: true,
    });
  });

  it('is paused again with another reason, and the former one is reported', async () => {
    await pause('--by', 'ada');
    const again = await group('pause billing', '--reason', 'an audit', '--by', 'bob');
    expect(again.out).toMatch(
      /^group billing is paused since \S+ by bob: an audit; it was paused since \S+ by ada: the bank is away\n$/,
    );
    expect(JSON.parse((await pause('--json')).out)).toMatchObject({
      replaced: { reason: 'an audit', by: 'bob' },
      pause: { reason: 'the bank is away' },
    });
  });

  it('is shown with its reason in one line', async () => {
    await group('pause billing', '--reason', 'a\nattempts  1', '--by', 'ada');
    expect((await group('show billing')).out).toMatch(/^paused .* by ada: a attempts 1$/m);
    const { pause: stored } = JSON.parse((await group('show billing --json')).out);
    expect(stored.reason).toBe('a\nattempts  1');
  });

  it.each([
    ['without a reason', 'pause billing', 2, '--reason'],
    ['with a blank reason', ['pause', 'billing', '--reason', ' '], 2, 'reason must be a string of 1 to 500 characters'],
    ['with a long name', `pause billing --reason x --by ${'y'.repeat(101)}`, 2, 'by must be a string of 1 to 100'],
    ['that does not exist', 'pause nope --reason x', 1, 'consumer group "nope" does not exist; nothing was changed'],
    ['that does not exist and is resumed', 'resume nope', 1, 'consumer group "nope" does not exist'],
  ])('is not paused %s', async (_, line, code, problem) => {
    const called = await on('group', ...(typeof line === 'string' ? words(line) : line));
    expect(called).toMatchObject({ code, out: '', err: expect.stringContaining(problem) });
  });

  it('is shown with the brokers that have not paused it, without a reason that nobody left', async () => {
    const configs = [{ consumeEnable: false }, {}];
    const { nameServer } = await scripted.start(
      configs.map((config) => ({ code }) => {
        if (code !== CODES.getAllSubscriptionGroupConfig) return { body: '{}' };
        return { body: JSON.stringify({ subscriptionGroupTable: { shop: { groupName: 'shop', ...config } } }) };
      }),
    );
    const shown = await call([...words('group show shop'), '--name-server', nameServer.address]);
    expect(shown.out).toMatch(/^paused {4}\(the name servers know no reason\); not on broker-1$/m);
    const listed = await call([...words('group list'), '--name-server', nameServer.address]);
    expect(listed.out).toMatch(/^shop +no +17 +customized +differs/m);
  });
});
