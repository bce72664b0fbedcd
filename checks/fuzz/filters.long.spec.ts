import { beforeAll, describe, expect, it } from '@jest/globals';
import { MAX_FILTER_LENGTH } from '../../libs/rocketmq/src/broker/filter/max-filter-length.js';
import { Filters } from '../../libs/rocketmq/src/broker/services/filters.js';
import { FilterType } from '../../libs/rocketmq/src/protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { LIMITS } from '../../libs/rocketmq/src/protocol/model/limits.js';
import { seededRandom } from '../../tools/random.js';
import { hostileFilter, hostileProperties } from './filters.js';

const filters = new Filters();
beforeAll(() => filters.load());

const generated = Array.from({ length: 300 }, (_, seed) => hostileFilter(seededRandom(seed)));
const messages = Array.from({ length: 300 }, (_, seed) => hostileProperties(seededRandom(seed)));

function accepted(type: FilterType) {
  return generated.flatMap((filter) => {
    try {
      return filter.type === type ? [filters.of(filter)] : [];
    } catch {
      return [];
    }
  });
}

describe('hostile filters and messages', () => {
  it('are the same for the same seed', () => {
    expect(Array.from({ length: 300 }, (_, seed) => hostileFilter(seededRandom(seed)))).toEqual(generated);
    expect(Array.from({ length: 300 }, (_, seed) => hostileProperties(seededRandom(seed)))).toEqual(messages);
  });

  it('reach the limits, and exceed them', () => {
    const lengths = generated.map(({ expression }) => expression.length);
    expect(lengths).toContain(MAX_FILTER_LENGTH);
    expect(Math.max(...lengths)).toBeGreaterThan(10 * MAX_FILTER_LENGTH);
    const counts = messages.map(({ userProperties }) => Object.keys(userProperties).length);
    expect(counts).toEqual(expect.arrayContaining([LIMITS.properties, LIMITS.properties + 1]));
  });

  it.each([FilterType.TAG, FilterType.SQL])('are mostly accepted, and find some messages (type %p)', (type) => {
    const all = generated.filter((filter) => filter.type === type);
    const usable = accepted(type);
    expect(usable.length).toBeGreaterThan(all.length / 3);
    const matching = usable.filter(({ matches }) => {
      return messages.some(({ system: { tag, keys = [] }, userProperties }) => {
        return matches({ messageId: 'id', tag, keys, properties: userProperties } as unknown as Parameters<
          typeof matches
        >[0]);
      });
    });
    expect(matching.length).toBeGreaterThan(10);
    expect(matching.length).toBeLessThan(usable.length);
  });
});
