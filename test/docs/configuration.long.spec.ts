// The page of all options agrees with the types, and describes each option.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { CONFIGURATION, configurationPage, shortcomings } from '../../scripts/docs/configuration.js';
import { optionTypes } from '../../scripts/docs/option-tables.js';

const types = optionTypes();

describe('docs/reference/configuration.md', () => {
  it('is generated from the types (`npm run docs`)', () => {
    expect(readFileSync(CONFIGURATION, 'utf8')).toBe(configurationPage(types));
  });

  it('has a default for each optional option, a unit for each number, a description of each', () => {
    expect(shortcomings(types)).toEqual([]);
  });

  it('has the options of the module, of listeners, clients, brokers and tables', () => {
    const names = types.map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining([
        'RocketMQModuleOptions',
        'RocketMQListenerOptions',
        'ProducerOptions',
        'PushConsumerOptions',
        'SimpleConsumerOptions',
        'RocketMQAdminOptions',
        'EmbeddedBrokerOptions',
        'TestBrokerOptions',
        'TransactionLogOptions',
        'InboxOptions',
        'OutboxOptions',
        'OutboxRelayOptions',
      ]),
    );
  });

  it('reports what an option lacks', () => {
    const option = { name: 'x', type: 'number', unit: '?', isOptional: true, default: undefined, text: '' };
    const type = { name: 'Y', entries: ['z'], text: '', bases: [], options: [option] };
    expect(shortcomings([type])).toEqual(['Y.x has no default', 'Y.x has no unit', 'Y.x has no text']);
  });
});
