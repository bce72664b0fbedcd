// The commands of a server that every client obeys: reconnect, and report to an operator what it is doing.

import { Code } from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { TelemetryCommand } from '../protocol/grpc/generated/apache/rocketmq/v2/service.js';
import type { SessionMessage } from '../protocol/grpc/session-message.js';
import type { Connection } from './connection.js';
import { type Endpoint, endpointKey } from './endpoint.js';
import type { SessionHealth } from './session-events.js';

/** The commands of the server to a client. */
export type ServerCommand = Exclude<NonNullable<SessionMessage['command']>, { $case: 'settings' }>;

/** What the commands need of a client. */
interface CommandedClient {
  readonly id: string;
  readonly connection: Pick<Connection, 'reconnect' | 'logger'>;
  sessionHealth(): readonly SessionHealth[];
  /** What it is doing, a line for each fact. */
  report(): readonly string[];
}

/** The session by which a command came. */
interface CommandSource {
  readonly endpoint: Endpoint;
  readonly session: { write(answer: TelemetryCommand): void; reopen(): void };
}

/** Longer reports are cut: they are for an operator's screen, and several relays carry them. */
const MAX_REPORT_LENGTH = 16_384;
const CUT = '\n… (cut)';

/** Takes a command that the client's role does not handle. The server waits for an answer to some; others need none. */
export function takeCommand(
  command: ServerCommand,
  client: CommandedClient,
  { endpoint, session }: CommandSource,
): void {
  switch (command.$case) {
    case 'reconnectEndpointsCommand':
      // The protocol has no answer to it: the new stream is one.
      if (!client.connection.reconnect(endpoint)) return;
      client.connection.logger.info('reconnecting, as the server asked', { endpoint: endpointKey(endpoint) });
      session.reopen();
      return;
    case 'printThreadStackTraceCommand': {
      const { nonce } = command.value;
      const threadStackTrace = reportText([...clientLines(client), ...client.report()]);
      session.write({
        status: { code: Code.OK, message: 'OK' },
        command: { $case: 'threadStackTrace', value: { nonce, threadStackTrace } },
      });
      return;
    }
    case 'verifyMessageCommand': {
      // Without an answer, an operator would wait five seconds.
      const { nonce } = command.value;
      const status = { code: Code.NOT_IMPLEMENTED, message: 'not supported by this client' };
      session.write({ status, command: { $case: 'verifyMessageResult', value: { nonce } } });
    }
  }
}

/** Node.js has no thread per handler whose stack could be printed. What keeps the process busy comes closest. */
function reportText(lines: readonly string[]): string {
  const text = [...lines, ...processLines()].join('\n');
  return text.length <= MAX_REPORT_LENGTH ? text : text.slice(0, MAX_REPORT_LENGTH - CUT.length) + CUT;
}

function clientLines(client: CommandedClient): string[] {
  const sessions = client.sessionHealth().map((one) => `session with ${one.endpoint}: ${one.status}`);
  return [`client: ${client.id}`, ...sessions];
}

function processLines(): string[] {
  const { rss, heapUsed, heapTotal } = process.memoryUsage();
  return [
    `process: Node.js ${process.version} on ${process.platform}, pid ${process.pid}, running for ${Math.round(process.uptime())} s`,
    `memory: ${mebibytes(rss)} resident, ${mebibytes(heapUsed)} of ${mebibytes(heapTotal)} heap in use`,
    `active resources: ${resourceCounts() || 'none'}`,
  ];
}

/** For instance `Timeout 12, TCPSocketWrap 3`: the most frequent kind first. */
function resourceCounts(): string {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return [...counts]
    .sort(([, one], [, other]) => other - one)
    .map(([kind, count]) => `${kind} ${count}`)
    .join(', ');
}

const mebibytes = (bytes: number): string => `${Math.round(bytes / 1024 ** 2)} MiB`;
