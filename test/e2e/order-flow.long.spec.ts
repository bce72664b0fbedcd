// The order flow on PGlite, the default of the demos.

import { describe } from '@jest/globals';
import { orderFlowCases } from './support/order-flow-cases.js';

describe('the demos on PGlite', () => orderFlowCases(async () => ({})));
