// The page of all options says what the types say, and each option says enough.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { CONFIGURATION, configurationPage, shortcomings } from '../../scripts/docs/configuration.mjs';
import { optionTypes } from '../../scripts/docs/option-tables.mjs';

const types = optionTypes();

describe('docs/reference/configuration.md', () => {
  it('is what the types say: run `npm run docs` when they have changed', () => {
    expect(withoutPadding(readFileSync(CONFIGURATION, 'utf8'))).toBe(withoutPadding(configurationPage(types)));
  });

  it('has a default for each option that may be left out, a unit for each number, a word about each', () => {
    expect(shortcomings(types)).toEqual([]);
  });

  it('has the options of the module, of listeners, clients, brokers and tables', () => {
    const names = types.map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining([
        ...['RocketMQModuleOptions', 'RocketMQListenerOptions', 'ProducerOptions', 'PushConsumerOptions'],
        ...['SimpleConsumerOptions', 'RocketMQAdminOptions', 'EmbeddedBrokerOptions', 'TestBrokerOptions'],
        ...['TransactionLogOptions', 'InboxOptions', 'OutboxOptions', 'OutboxRelayOptions'],
      ]),
    );
  });

  it('would tell what an option lacks', () => {
    const option = { name: 'x', type: 'number', unit: '?', isOptional: true, default: undefined, text: '' };
    const type = { name: 'Y', entries: ['z'], text: '', bases: [], options: [option] };
    expect(shortcomings([type])).toEqual(['Y.x has no default', 'Y.x has no unit', 'Y.x has no text']);
  });
});

/** How wide a table is drawn says nothing. */
function withoutPadding(page: string): string {
  return page.replace(/ {2,}\|/g, ' |').replace(/-{3,}/g, '---');
}
