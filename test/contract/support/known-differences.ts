// Where a backend does not keep the contract, why, and how that is known. The list is checked: see contract.ts.

import type { BackendName } from './backend.js';

export interface KnownDifference {
  readonly title: string;
  readonly backend: BackendName;
  /** Only these versions of the real server; default: all. */
  readonly versions?: readonly string[];
  /** Of a case that asks one question: what this backend answers instead of what fits. It must answer exactly that. */
  readonly answer?: string;
  readonly reason: string;
  readonly source: string;
}

export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [
  {
    title: 'a consumer group that does not exist is an error at start',
    backend: 'rocketmq',
    versions: ['5.3.3'],
    reason: 'it accepts the settings of an unknown group and makes the group at its first receive',
    source: 'test/contract/refusals.spec.ts on 5.3.3',
  },
  {
    title: 'SQL that cannot be read or makes no sense is refused',
    backend: 'rocketmq',
    answer: 'INTERNAL_SERVER_ERROR',
    reason:
      'the proxy knows only the broker\'s "parse the consumer\'s subscription failed"; ILLEGAL_FILTER_EXPRESSION says what it is',
    source: 'test/contract/sql-filter.spec.ts on 5.5.0',
  },
  {
    title: 'text after a complete SQL expression is refused',
    backend: 'rocketmq',
    reason: 'its parser stops at the end of the first complete expression and ignores the rest, be it a typing mistake',
    source: 'SelectorParser.jj has no end of input; test/contract/sql-filter.spec.ts on 5.5.0',
  },
  {
    title: 'a negative priority is refused',
    backend: 'rocketmq',
    answer: 'INTERNAL_SERVER_ERROR',
    reason: 'its catch-all for a wrong argument; BAD_REQUEST says whose mistake it is',
    source: 'test/contract/priority.spec.ts on 5.5.0',
  },
];
