// What `nestjs-rocketmq-console` exports.

export type { AuditEntry, ConsoleAction } from '../access/audit.js';
export type { BodyRule, ConsoleOptions } from '../access/options.js';
export { EDIT_PROPERTY } from '../changes/edited-replay.js';
export { RocketMQConsoleModule, type RocketMQConsoleModuleOptions } from '../mount/module.js';
export type { ConsoleSchedule } from '../source.js';
