// How brokers of 4.x, which are consumed from by pull, differ from 5.5.0; see known-differences.ts.

import type { KnownDifference } from './known-difference.js';

/** Up to 4.7. */
function early(reason: string, titles: readonly string[]): KnownDifference[] {
  const source = 'seen on 4.5.2 by this case';
  return titles.map((title) => {
    return { title, backend: 'rocketmq', transports: ['remoting'], before: '4.9.0', reason, source };
  });
}

function of4x(reason: string, titles: readonly string[]): KnownDifference[] {
  const source = 'seen on 4.9.7 by this case';
  return titles.map((title) => {
    return { title, backend: 'rocketmq', transports: ['remoting'], before: '5.0.0', reason, source };
  });
}

function on(version: string, reason: string, titles: readonly string[]): KnownDifference[] {
  const source = `seen on ${version} by this case`;
  return titles.map((title) => {
    return { title, backend: 'rocketmq', transports: ['remoting'], versions: [version], reason, source };
  });
}

/** Cases that hold in some runs. */
const BY_CHANCE = [
  ...of4x('all members divide the queues, also those that are paused or do not subscribe to the topic', [
    'a paused consumer leaves the messages to others of its group, without an attempt',
    'a topic can be added, and taken off again',
  ]),
  ...early('no check came on a fresh broker; in the whole suite, where other transactions had ended before, one did', [
    'of a half message comes to its checker and its consumer as it was given',
  ]),
  ...on('4.7.1', 'in the whole suite, a message that was committed was delivered twice; alone it was not', [
    'to a half message keeps the local transaction from running, and its check drops the half',
    'a rolled-back message is never delivered',
  ]),
  ...of4x('the position of a group is stored once a second', [
    'counts what was not settled yet, when the group is ordered',
  ]),
  ...of4x('of the two groups with this case, the one with 2147483647 loses nothing: it counts to this number', [
    'is shown as it is, and no consumer of it starts before it is altered',
  ]),
].map((one): KnownDifference => ({ ...one, isByChance: true }));

export const DIFFERENCES_OF_4X: readonly KnownDifference[] = [
  ...early('nobody may read dead letters before our administration has made their topic readable', [
    'after its last attempt a message is in the dead letter queue, where it can be read',
    'a handler can give a message up at once',
    'give a message up before the server would; it is in the dead letter queue of the group',
    'a message that never succeeds becomes a dead letter, and its group goes on',
    'are set aside with an event, and the others of their batch are handled',
  ]),
  ...early('a property whose value holds the separators of properties is lost in the copy', [
    'can be replayed from the dead letter queue of the server as they were',
  ]),
  ...on('4.7.1', 'it stores the properties anew, without one whose value holds the separators', [
    'keep a value with the separator of names, and lose a property without a name or a value',
  ]),
  ...on('4.1.0-incubating', 'it never checks a transaction, so half messages are rejected: they need 4.3.0', [
    'a transaction of unknown fate is checked until the answer is commit',
    'a producer that dies after its half message is answered for by another one',
    'commits, rolls back, and answers a check',
    'share no request when they belong to transactions',
    'of a transaction begins with its half message',
    'to a half message keeps the local transaction from running, and its check drops the half',
    'to a commit is no failure: the message is visible, and the event reports it',
    'a committed message is delivered, and not before the commit',
    'a rolled-back message is never delivered',
    'a message prepared inside the local transaction is delivered after it',
    'a local transaction that throws asks its checker at once and follows its answer',
    'is asked about again when its checks are resumed, and delivered when the answer is commit',
    'is dropped when its checks are resumed and the answer is rollback',
    'cannot be resumed by the name of another broker, nor where nothing lies',
    'a half message is not asked for before its producer says so',
    'a local transaction that took too long is resolved by the check, as it ended',
    'a local transaction of 8 s commits, though it is checked while it runs',
    'a local transaction of 40 s commits, though it is checked while it runs',
    'two instances: the one that does not run a local transaction lets it finish, and its fence comes after',
    'a checker may take as long as it is allowed to, and its late answer counts at the next check',
  ]),
  ...on('4.4.0', 'it drops a half message after its last check, without a copy ("discard it")', [
    'is asked about again when its checks are resumed, and delivered when the answer is commit',
    'is dropped when its checks are resumed and the answer is rollback',
    'cannot be resumed by the name of another broker, nor where nothing lies',
  ]),
  ...early('it counts from its first sample on, up to ten seconds after the first message', [
    'the messages that a topic takes and a group is given are counted from the first one on',
  ]),
  ...early('it keeps the offsets of a group that is deleted', ['begin anew when they are created again']),
  ...early('the topic and the properties of a message count to its limit', ['a body of exactly 4 MiB arrives whole']),
  ...BY_CHANCE,
  ...of4x('topics have no types, and take every message', [
    'of every type are created, and can be described at once',
    'that exist are rejected with other settings and accepted with the same ones',
    'are altered in type and queues, and keep what is left out',
    'show type and queues, sorted by name, without system topics',
    'a message of another type than its topic is rejected',
    'a message that the server has no topic for fails alone',
    "finds the dead letter topic that it names, with provision: 'create'",
    'succeed for an administrator, and report to others what is missing',
  ]),
  ...of4x('the broker keeps neither order nor backoff of a group: its consumers decide', [
    'are created ordered, with attempts and an exponential backoff',
    'are altered, and keep what is left out',
    'show order and attempts, sorted by name, without system groups',
    'an ordered listener does not start on a group that the server does not hold as ordered',
    'a consumer that goes on without the order of its group says so, with the command',
    'finds a server in order',
  ]),
  ...of4x('a consumer learns the attempts of its group when it starts, and when its settings are refreshed', [
    'that were altered deliver by their new number of attempts at the next pop',
  ]),
  ...of4x('each acknowledgement of an ordered message is final, also behind one that is not settled', [
    'what was acknowledged behind an unsettled message of its poll is redelivered with it',
    'what was acknowledged behind an unsettled message of its poll shares the end of its attempts',
    'a poll that takes less than was handed out forgets the attempts and the acks of the rest',
    'a message that becomes a dead letter counts towards the size of its poll',
    'a poll without room for all of a second queue forgets the acks of what is left in it',
  ]),
  ...of4x('the retries of all topics of a group are in one topic', [
    'of the redeliveries of a group exist: tools find its progress by them',
  ]),
  ...of4x('a message that is released is handed out again by the consumer, and is not stored again', [
    'has each redelivery, and the dead letter with its replay',
  ]),
  ...of4x('it delays by levels only; other delays are rejected, with their names', [
    'with a delay is found when it has been delivered',
    'a delayed message is not delivered before its time',
    'of a delayed message come without a delay',
    'is rejected by a server that does not allow it, and nothing is stored',
    'a message due at a point of time keeps it, and one that is due already comes at once',
  ]),
  ...of4x('it knows delays by level only, and takes the marks of the level away when it delivers', [
    'each kind of message arrives as its type',
    'have the time when they were due, to the second',
    'have it for administrators too, while they wait and afterwards',
  ]),
  ...of4x('a retry is a copy: when the answer to it is lost, the message is handed out again, too', [
    'a change of the invisible duration is not repeated: the message is redelivered, once',
  ]),
  ...of4x('the pull that waits is given up for the new filter at once', [
    'a filter can be changed, from the next poll on',
  ]),
  ...of4x('the position of a group is that of its lowest message that is not settled', [
    'counts what was not handed out yet, queue by queue',
  ]),
  ...of4x('its consumers keep their positions, so one queue is not moved while they run', [
    'to an offset gets that queue from there on, and the others as before',
  ]),
];
