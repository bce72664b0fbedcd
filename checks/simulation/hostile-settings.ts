// The settings of a broken or hostile server, in a message of a telemetry stream.

import { Settings } from '../../libs/rocketmq/src/protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { rpcMethod } from '../../libs/rocketmq/src/protocol/grpc/rpc.js';
import type { Fault } from './plan.js';

const PREFIX_BYTES = 5;

/** Replaces settings by those of a broken or hostile server. @returns other messages of a telemetry stream unchanged */
export function withHostileSettings(message: Buffer, { strength, pick }: Fault): Buffer {
  if (message.length <= PREFIX_BYTES) return message;
  const method = rpcMethod('telemetry');
  let command: ReturnType<typeof method.response.decode>;
  try {
    command = method.response.decode(message.subarray(PREFIX_BYTES));
  } catch {
    return message;
  }
  if (command.command?.$case !== 'settings') return message;
  const settings = command.command.value;
  const seconds = Math.floor((strength - 0.5) * 2 ** 33);
  const duration = { seconds, nanos: Math.floor((pick - 0.5) * 2 ** 31) };
  const backoff = { $case: 'customizedBackoff' as const, value: { next: pick < 0.5 ? [duration] : [] } };
  const altered = Settings.fromPartial({
    ...settings,
    backoffPolicy: { maxAttempts: settings.backoffPolicy?.maxAttempts ?? 1, strategy: backoff },
    requestTimeout: duration,
    ...(settings.pubSub?.$case === 'subscription'
      ? {
          pubSub: {
            $case: 'subscription',
            value: {
              ...settings.pubSub.value,
              receiveBatchSize: Math.floor((pick - 0.5) * 1_000),
              longPollingTimeout: duration,
            },
          },
        }
      : {}),
  });
  const bytes = method.response.encode({ ...command, command: { $case: 'settings', value: altered } }).finish();
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([prefix, bytes]);
}
