// `nestjs-rocketmq lag`: how far a consumer group is behind.

import { InvalidArgumentError } from 'commander';
import { type AccessValues, accessOptions, withAdmin } from './admin-access.js';
import { type AddCommand, plural, withExamples } from './command.js';
import { print, table, tellFailures, timeText } from './output.js';

const NOT_STARTED =
  'it has consumed nothing yet and no consumer is connected; name a topic with --topic to see what it will read';

type Values = AccessValues & { topic?: string; queues?: boolean; failAbove?: bigint };

export const addLagCommand: AddCommand = (program, io) => {
  const command = program
    .command('lag')
    .description(
      'Shows how many messages a consumer group has not received yet, by topic. What its consumers hold at this moment counts for an ordered group only. For a topic that the group has not started on: what it will read when it starts.',
    )
    .argument('<group>')
    .option('--topic <topic>', 'only this topic, also when the group has not started on it')
    .option('--queues', 'by queue')
    .option('--fail-above <count>', 'end with exit code 1 when the lag is above this', numberOf);
  accessOptions(command).action(async (group: string, values: Values) => {
    const lag = await withAdmin(values, io, async (admin) => {
      const told = await admin.groupLag(group, { topic: values.topic });
      if (told.topics.length > 0) return told;
      // A monitor of a name that is not there would be content for ever, as would one that looks at no topic.
      if ((await admin.describeGroup(group)) === undefined) {
        throw new Error(`group "${group}" does not exist; list those that do with: group list`);
      }
      if (values.failAbove !== undefined) throw new Error(`the lag of group "${group}" is not known: ${NOT_STARTED}`);
      return told;
    });
    print(io, values, lag, () => {
      const head = `group ${group} is ${plural(lag.lag, 'message')} behind\n`;
      if (lag.topics.length === 0) return `${head}${NOT_STARTED}\n`;
      return head + (values.queues === true ? byQueue(lag.topics) : byTopic(lag.topics));
    });
    if (values.failAbove !== undefined && lag.lag > values.failAbove) io.fail();
    tellFailures(io, lag.failures);
  });
  withExamples(command, [
    ['lag billing', 'how far behind, by topic'],
    ['lag billing --topic orders --queues', 'where in each queue the group stands'],
    ['lag billing --topic orders --fail-above 1000 --json', 'for a monitor: exit code 1 above a thousand'],
  ]);
};

type Topics = Awaited<ReturnType<import('../admin/rocketmq-admin.js').RocketMQAdmin['groupLag']>>['topics'];

function byTopic(topics: Topics): string {
  return table(
    ['TOPIC', 'LAG', 'RETRIES', 'QUEUES', 'CONSUMED UP TO'],
    topics.map(({ topic, lag, retries, queues }) => {
      const newest = Math.max(0, ...queues.map(({ lastTimestampMs = 0 }) => lastTimestampMs));
      const upTo = queues.some(({ hasStarted }) => hasStarted)
        ? timeText(newest === 0 ? undefined : newest)
        : 'not started';
      return [topic, lag, retries, queues.length, upTo];
    }),
  );
}

function byQueue(topics: Topics): string {
  return table(
    ['TOPIC', 'BROKER', 'QUEUE', 'GROUP AT', 'NEXT', 'LAG', 'CONSUMED UP TO'],
    topics.flatMap(({ topic, queues }) =>
      queues.map((one) => [
        ...[topic, one.broker, one.queueId, one.consumerOffset, one.brokerOffset, one.lag],
        one.hasStarted ? timeText(one.lastTimestampMs) : 'not started',
      ]),
    ),
  );
}

function numberOf(text: string): bigint {
  if (/^\d+$/.test(text)) return BigInt(text);
  throw new InvalidArgumentError('It must be a whole number from 0.');
}
