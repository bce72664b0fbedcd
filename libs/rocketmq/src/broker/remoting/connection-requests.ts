// Requests of tools about who is connected: consumers (203), producers (204, 328), and where consumers are (223).

import { javaHashCode } from '../../protocol/model/queue-hash.js';
import { REQUEST_CODES } from '../../protocol/remoting/codes.js';
import type { RemotingFrame } from '../../protocol/remoting/frame.js';
import { ObjectKeyedMap, parseJavaJson } from '../../protocol/remoting/java-json.js';
import { SECOND_MS } from '../../support/clock.js';
import { type AdminAnswer, answerWith, rejected, SUCCESS } from '../admin/admin-answer.js';
import type { AdminRequests } from '../admin/admin-requests.js';
import { publishingOf } from '../services/sessions.js';
import type { ReadSubscription } from './heartbeat.js';
import type { RegisteredClient } from './registered-clients.js';
import type { ClientRequestTable, RemotingContext } from './remoting-context.js';

/** How long the server waits for the answer of a client about its positions. */
const STATUS_MS = 5 * SECOND_MS;
/** So many consumers are asked for one request, each of whose answers is read. */
const MAX_ASKED = 100;
const MAX_STATUS_BYTES = 1024 * 1024;

/** A producer, as tools list it. */
interface ListedProducer {
  readonly clientId: string;
  readonly address: string;
  readonly language: string;
  readonly version: number;
  readonly seenAtMs: number;
}

export class ConnectionRequests {
  readonly table: ClientRequestTable = [
    [REQUEST_CODES.getConsumerConnectionList, (request) => this.connections(request)],
    [REQUEST_CODES.getProducerConnectionList, ({ fields }) => this.producers(fields.producerGroup ?? '')],
    [REQUEST_CODES.getAllProducerInfo, () => this.allProducers()],
    [REQUEST_CODES.invokeBrokerToGetConsumerStatus, ({ fields }) => this.positions(fields)],
  ];

  constructor(
    private readonly broker: RemotingContext,
    private readonly admin: AdminRequests,
  ) {}

  /** Of both protocols. @see ConsumerConnection of the server */
  private async connections(request: RemotingFrame): Promise<AdminAnswer> {
    const group = request.fields.consumerGroup ?? '';
    const data = this.broker.clients.consumerDataOf(group);
    if (data === undefined) return this.admin.answer(request);
    const others = this.broker.sessions.consumersOf(group).map(({ clientId, origin }) => {
      return { clientId, clientAddr: origin.address, language: origin.language, version: 0 };
    });
    const own = this.broker.clients.consumersOf(group).map(({ clientId, connection, language, version }) => {
      return { clientId, clientAddr: connection.address, language, version };
    });
    return answerWith({
      connectionSet: [...own, ...others],
      consumeFromWhere: data.consumeFromWhere,
      consumeType: data.consumeType,
      messageModel: data.messageModel,
      subscriptionTable: Object.fromEntries(
        data.subscriptions.map((one) => [
          one.topic,
          { ...one, subVersion: Number(one.subVersion), classFilterMode: false, ...tagsOf(one) },
        ]),
      ),
    });
  }

  /** @see ProducerConnection of the server */
  private producers(group: string): AdminAnswer {
    const producers = this.producersByGroup().get(group);
    if (producers === undefined) throw rejected(`the producer group[${group}] not exist`);
    return answerWith({
      connectionSet: producers.map(({ clientId, address, language, version }) => {
        return { clientId, clientAddr: address, language, version };
      }),
    });
  }

  /** @see ProducerTableInfo of the server */
  private allProducers(): AdminAnswer {
    const groups = Array.from(this.producersByGroup(), ([group, producers]) => [
      group,
      producers.map(({ clientId, address, language, version, seenAtMs }) => {
        return { clientId, remoteIP: address, language, version, lastUpdateTimestamp: seenAtMs };
      }),
    ]);
    return answerWith({ data: Object.fromEntries(groups) });
  }

  /** Those of the gRPC protocol are in the groups of their topics, as a proxy registers them. */
  private producersByGroup(): Map<string, ListedProducer[]> {
    const groups = new Map<string, ListedProducer[]>();
    for (const [group, clients] of this.broker.clients.producersByGroup()) {
      const listed = clients.map(({ connection, ...client }) => ({ ...client, address: connection.address }));
      groups.set(group, listed);
    }
    for (const session of this.broker.sessions.all()) {
      const { clientId, seenAtMs, origin } = session;
      const { address, language } = origin;
      for (const { name } of publishingOf(session)?.topics ?? []) {
        const listed = { clientId, address, language, version: 0, seenAtMs };
        groups.set(name, [...(groups.get(name) ?? []), listed]);
      }
    }
    return groups;
  }

  /** Consumers that pull know best where they are. @see Broker2Client.getConsumeStatus of the server */
  private async positions(fields: RemotingFrame['fields']): Promise<AdminAnswer> {
    const { topic = '', group = '', clientAddr = '' } = fields;
    const consumers = this.broker.clients
      .consumersOf(group)
      .filter(({ clientId }) => clientAddr === '' || clientId === clientAddr);
    if (consumers.length === 0) throw rejected(`No Any Consumer online in the consumer group: [${group}]`);
    const asked = consumers.slice(0, MAX_ASKED).map(async (consumer) => {
      return `${JSON.stringify(consumer.clientId)}:${await positionsOf(consumer, { topic, group })}`;
    });
    const table = await Promise.all(asked);
    return { ...SUCCESS, body: Buffer.from(`{"consumerTable":{${table.join(',')}},"messageQueueTable":{}}`) };
  }
}

/** Each tag, and the hash of each. @see FilterAPI.buildSubscriptionData of the server */
function tagsOf({ expressionType, subString }: ReadSubscription) {
  const isByTags = expressionType === 'TAG' && subString !== '*';
  const tagsSet = isByTags ? subString.split('||').flatMap((tag) => tag.trim() || []) : [];
  return { tagsSet, codeSet: tagsSet.map(javaHashCode) };
}

/** The offset by queue, in the JSON of the server; nothing of a consumer that does not answer. */
async function positionsOf({ connection }: RegisteredClient, fields: RemotingFrame['fields']): Promise<string> {
  const answer = await connection.ask({ code: REQUEST_CODES.getConsumerStatusFromClient, fields }, STATUS_MS);
  if (answer === undefined || answer.code !== SUCCESS.code || answer.body.length > MAX_STATUS_BYTES) return '{}';
  try {
    const { messageQueueTable } = parseJavaJson(answer.body.toString('utf8')) as { messageQueueTable?: unknown };
    if (!(messageQueueTable instanceof ObjectKeyedMap)) return '{}';
    const pairs = messageQueueTable.pairs.map(([queue, offset]) => `${JSON.stringify(queue)}:${Number(offset)}`);
    return `{${pairs.join(',')}}`;
  } catch {
    // Whatever the client wrote, others have answered.
    return '{}';
  }
}
