// The errors of each RPC, one row each, on both servers (PROTOCOL: limits, error catalogue, names). Stable messages of the real server
// are compared, too, because programs match them.
// The rows are in catalogue/.

import { describe } from '@jest/globals';
import { RECEIVING } from './catalogue/receiving.js';
import { ROUTES_AND_CLIENTS } from './catalogue/routes-and-clients.js';
import { SENDING } from './catalogue/sending.js';
import { TRANSACTIONS_AND_RECALL } from './catalogue/transactions-and-recall.js';
import { contractSuite } from './support/contract.js';

const contract = contractSuite();

const catalogue = { ...ROUTES_AND_CLIENTS, ...SENDING, ...RECEIVING, ...TRANSACTIONS_AND_RECALL };

for (const [rpc, rows] of Object.entries(catalogue)) {
  describe(rpc, () => {
    for (const [condition, expected, ask, ...words] of rows) {
      contract.answers(`${rpc}: ${condition}`, expected, ask, words);
    }
  });
}
