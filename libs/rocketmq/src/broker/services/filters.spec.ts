import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { BrokerWire, messagesIn, statusIn } from '../../../../../tools/wire/broker-wire.js';
import { message, receiveRequest } from '../../../../../tools/wire/raw-grpc-client.js';
import { Code, FilterType } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { MAX_FILTER_LENGTH } from '../filter/max-filter-length.js';
import type { StoredMessage } from '../store/records.js';
import { Filters } from './filters.js';

const wire = new BrokerWire();
afterEach(() => wire.close());

const filters = new Filters();
beforeAll(() => filters.load());

const stored = (fields: Partial<StoredMessage>) =>
  ({ messageId: 'id', keys: [], properties: {}, ...fields }) as StoredMessage;

describe('the filter of a receive', () => {
  it.each([FilterType.TAG, FilterType.SQL])(
    'is rejected when it is longer than 16,384 characters (type %p)',
    async (type) => {
      const broker = await wire.broker();
      const inbox = await wire.consumer(broker, 'g');
      const tags = 'x || '.repeat(MAX_FILTER_LENGTH / 5);
      const ask = async (expression: string): Promise<Code | undefined> =>
        statusIn(await inbox.receive({ ...receiveRequest('t', 'g'), filterExpression: { type, expression } }));
      expect(await ask(`${tags}${'y'.repeat(10)}`)).toBe(Code.ILLEGAL_FILTER_EXPRESSION);
    },
  );

  it('accepts as many tags as its length allows', async () => {
    const broker = await wire.broker();
    await wire.client(broker).call('sendMessage', { messages: [message('t', 'wanted', { tag: 'tag-999' })] });
    const inbox = await wire.consumer(broker, 'g');
    const expression = Array.from({ length: 1_000 }, (_, index) => `tag-${index}`).join(' || ');
    const filterExpression = { type: FilterType.TAG, expression };
    const received = messagesIn(await inbox.receive({ ...receiveRequest('t', 'g'), filterExpression }));
    expect(received.map(({ systemProperties }) => systemProperties?.messageId)).toEqual(['wanted']);
  });

  it('is parsed once, however many messages it is applied to', () => {
    const tags = Array.from({ length: 1_800 }, (_, index) => `tag${index}`);
    const { matches } = filters.of({ type: FilterType.TAG, expression: tags.join('||') });
    // Parsing the filter takes almost a millisecond.
    for (let round = 0; round < 250_000; round++) {
      if (matches(stored({ tag: `tag${round % 4_000}` })) !== round % 4_000 < 1_800) throw new Error(`tag${round}`);
    }
  });

  it('examines few messages when it is expensive, and leaves the rest to the next receive', async () => {
    const broker = await wire.broker();
    const messages = Array.from({ length: 20 }, (_, index) => {
      return { ...message('t', `id-${index}`), userProperties: { n: '9'.repeat(15_000) } };
    });
    await wire.client(broker).call('sendMessage', { messages });
    const inbox = await wire.consumer(broker, 'g');
    const expression = Array.from({ length: 2_000 }, () => 'n<1.5')
      .join(' OR ')
      .slice(0, MAX_FILTER_LENGTH - 6);
    const filterExpression = { type: FilterType.SQL, expression: expression.slice(0, expression.lastIndexOf(' OR ')) };
    const none = await inbox.receive({ ...receiveRequest('t', 'g'), filterExpression });
    expect(statusIn(none)).toBe(Code.MESSAGE_NOT_FOUND);
    const others = messagesIn(await inbox.receive(receiveRequest('t', 'g')));
    expect(others.length).toBeGreaterThan(15);
  });

  it('is cached with many others when they are short, and with few when they are long', () => {
    const kept = (length: number): number => {
      const fresh = Array.from({ length: 50 }, (_, index) => ({
        type: FilterType.SQL,
        expression: `n = ${index} AND length = ${length}`.padEnd(length),
      }));
      const first = fresh.map((filter) => filters.of(filter));
      return fresh.reverse().filter((filter, index) => filters.of(filter) === first[first.length - 1 - index]).length;
    };
    expect(kept(100)).toBe(50);
    expect(kept(MAX_FILTER_LENGTH)).toBeLessThan(5);
  });

  it('in SQL joins the keys of a message once, however often it reads them', () => {
    let joins = 0;
    const keys = Object.assign(['a', 'b'], { join: () => `joined ${++joins} times` });
    const expression = Array.from({ length: 1_000 }, (_, index) => `KEYS = '${index}'`).join(' OR ');
    const { matches } = filters.of({ type: FilterType.SQL, expression });
    expect(matches(stored({ keys }))).toBe(false);
    expect(joins).toBe(1);
  });

  it('in SQL costs more per message, the longer the filter and the message are', () => {
    const effort = (expression: string, text: string): number => {
      return filters.of({ type: FilterType.SQL, expression }).effort?.(stored({ properties: { text } })) ?? 0;
    };
    const long = Array.from({ length: 650 }, (_, index) => `text CONTAINS 'a${index}'`).join(' OR ');
    expect(effort("text = 'a'", 'a'.repeat(15_000))).toBe(1);
    expect(effort(long, 'short')).toBe(1);
    expect(effort(long, 'a'.repeat(15_000))).toBeGreaterThan(500);
  });
});
