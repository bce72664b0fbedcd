// All checks, in the order of `npm run check -- --list`.

import { BENCH_CHECKS } from './bench/check.js';
import { LOAD_CHECK } from './bench/load/check.js';
import { BROWSER_CHECK } from './browser/check.js';
import { CHAOS_CHECK } from './chaos/check.js';
import type { Check } from './check.js';
import { CRASH_CHECK } from './crash/check.js';
import { DATABASES_CHECK } from './databases/check.js';
import { COMPOSE_CHECK } from './deploy/compose/check.js';
import { DOCKERFILE_CHECK } from './deploy/dockerfile/check.js';
import { FUZZ_CHECK } from './fuzz/check.js';
import { gateOver } from './gate/check.js';
import { HTTP2_CHECK } from './http2/check.js';
import { INTEROP_CHECK } from './interop/check.js';
import { MODEL_CHECK } from './model/check.js';
import { PACK_CHECK } from './pack/check.js';
import { ROCKETMQ_CHECK } from './rocketmq/check.js';
import { SIMULATION_CHECKS } from './simulation/check.js';
import { SOAK_CHECK } from './soak/check.js';

const JUDGES: readonly Check[] = [
  ROCKETMQ_CHECK,
  ...SIMULATION_CHECKS,
  SOAK_CHECK,
  CRASH_CHECK,
  FUZZ_CHECK,
  HTTP2_CHECK,
  CHAOS_CHECK,
  MODEL_CHECK,
  DATABASES_CHECK,
  INTEROP_CHECK,
  PACK_CHECK,
  BROWSER_CHECK,
  COMPOSE_CHECK,
  DOCKERFILE_CHECK,
  ...BENCH_CHECKS,
  LOAD_CHECK,
];

export const CHECKS: readonly Check[] = [gateOver(JUDGES), ...JUDGES];
