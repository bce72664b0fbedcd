// What `nestjs-rocketmq-console/standalone` exports.

export type { AuditEntry, ConsoleAction } from '../access/audit.js';
export type { BodyRule, ConsoleOptions } from '../access/options.js';
export {
  type StandaloneConsole,
  type StandaloneOptions,
  type StandaloneSource,
  startStandaloneConsole,
} from '../mount/standalone.js';
