// `nestjs-rocketmq lag`: how far a consumer group is behind.

import { InvalidArgumentError } from 'commander';
import { type AccessValues, accessOptions, withAdmin } from './admin-access.js';
import { type AddCommand, plural, withExamples } from './command.js';
import { print, table, tellFailures, timeText } from './output.js';

type Values = AccessValues & { topic?: string; queues?: boolean; failAbove?: bigint };

export const addLagCommand: AddCommand = (program, io) => {
  const command = program
    .command('lag')
    .description(
      'Tells how many messages a consumer group has not got yet, by topic. What its consumers hold at this moment counts for an ordered group only.',
    )
    .argument('<group>')
    .option('--topic <topic>', 'only this topic')
    .option('--queues', 'by queue')
    .option('--fail-above <count>', 'end with exit code 1 when the lag is above this', numberOf);
  accessOptions(command).action(async (group: string, values: Values) => {
    const lag = await withAdmin(values, io, async (admin) => {
      const told = await admin.groupLag(group, { topic: values.topic });
      // A monitor of a name that is not there would be content for ever.
      if (told.topics.length > 0 || (await admin.describeGroup(group)) !== undefined) return told;
      throw new Error(`group "${group}" does not exist; list those that do with: group list`);
    });
    print(io, values, lag, () => {
      const head = `group ${group} is ${plural(lag.lag, 'message')} behind\n`;
      if (lag.topics.length === 0) return `${head}it has consumed nothing yet\n`;
      return head + (values.queues === true ? byQueue(lag.topics) : byTopic(lag.topics));
    });
    if (values.failAbove !== undefined && lag.lag > values.failAbove) io.fail();
    tellFailures(io, lag.failures);
  });
  withExamples(command, [
    ['lag billing', 'how far behind, by topic'],
    ['lag billing --topic orders --queues', 'where in each queue the group stands'],
    ['lag billing --fail-above 1000 --json', 'for a monitor: exit code 1 above a thousand'],
  ]);
};

type Topics = Awaited<ReturnType<import('../admin/index.js').RocketMQAdmin['groupLag']>>['topics'];

function byTopic(topics: Topics): string {
  return table(
    ['TOPIC', 'LAG', 'RETRIES', 'QUEUES', 'CONSUMED UP TO'],
    topics.map(({ topic, lag, retries, queues }) => {
      const newest = Math.max(0, ...queues.map(({ lastTimestampMs = 0 }) => lastTimestampMs));
      return [topic, lag, retries, queues.length, timeText(newest === 0 ? undefined : newest)];
    }),
  );
}

function byQueue(topics: Topics): string {
  return table(
    ['TOPIC', 'BROKER', 'QUEUE', 'GROUP AT', 'NEXT', 'LAG', 'CONSUMED UP TO'],
    topics.flatMap(({ topic, queues }) =>
      queues.map((one) => [
        ...[topic, one.broker, one.queueId, one.consumerOffset, one.brokerOffset, one.lag],
        timeText(one.lastTimestampMs),
      ]),
    ),
  );
}

function numberOf(text: string): bigint {
  if (/^\d+$/.test(text)) return BigInt(text);
  throw new InvalidArgumentError('It must be a whole number from 0.');
}
