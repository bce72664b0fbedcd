// The requests of a run. Each is a function of the seed, its number and a recording, independent of the order of sending.

import { type RpcName, rpcMethod, rpcNames } from '../../libs/rocketmq/src/protocol/grpc/rpc.js';
import { below, type Chance, noise, oneOf, seededRandom } from '../../tools/random.js';
import { framed } from '../../tools/wire/http2-peer.js';
import { message, receiveRequest } from '../../tools/wire/raw-grpc-client.js';
import { hostileBatch, hostileFilter } from './filters.js';
import { mutatedBytes, mutatedValue, wrongFrames } from './mutations.js';
import { adminConnection, rawConnection } from './raw-connections.js';
import {
  CLIENT_IDS,
  CONSUMERS,
  FILTERED_TOPIC,
  FILTERING_GROUPS,
  GROUP,
  type RecordedRequest,
  type Recording,
  recorded,
  TOPIC,
} from './recording.js';

/** How an opened stream ends: regularly, reset, left open, or with its connection. */
export type Ending = 'half-close' | 'reset' | 'abandon' | 'cut';

export type HostileRequest =
  | {
      readonly kind: 'call';
      /** Undefined for a path of no RPC. */
      readonly rpc: RpcName | undefined;
      readonly headers: Readonly<Record<string, string>>;
      readonly pieces: readonly Buffer[];
      readonly ending: Ending;
    }
  | {
      readonly kind: 'bytes';
      readonly port: 'clients' | 'admin';
      readonly pieces: readonly Buffer[];
      /** Whether the client ends the connection with a TCP reset, or regularly. */
      readonly vanishes: boolean;
    };

type Call = Extract<HostileRequest, { kind: 'call' }>;

const OVERSIZED_BYTES = 5 * 1024 * 1024;
const MAX_EMPTY_FIELDS = 1_000_000;
const TIMEOUTS = [
  '0n',
  '1n',
  '1m',
  '99999999H',
  '31535999M',
  '',
  'S',
  '-1S',
  '1.5S',
  '5s',
  '123456789S',
  '9'.repeat(500),
];

/** The inputs of a run, which determine its requests. */
export interface Attack {
  readonly seed: number;
  readonly recording: Recording;
}

/** The request of this number. */
export function hostileRequest({ seed, recording }: Attack, number: number): HostileRequest {
  const chance = seededRandom(Math.imul(seed, 0x9e3779b1) + number);
  const way = chance();
  if (way >= 0.9) {
    const source = chance() < 0.5 ? forFilters(chance, number) : filtered(chance);
    return callOf(source, [framed(encoded(source))], 'half-close');
  }
  const source = sourceOf(chance, recording);
  if (way < 0.25) return mutated(chance, source);
  if (way < 0.4) return callOf(source, wrongFrames(chance, encoded(source)), endingOf(chance));
  if (way < 0.5) return callOf(source, [framed(garbled(chance, source, recording))], endingOf(chance));
  if (way < 0.55) return callOf(source, outOfOrder(chance, source, recording), endingOf(chance));
  if (way < 0.65) return wrongHeaders(chance, source);
  if (way < 0.75) return left(chance, source);
  if (way < 0.752) return callOf(source, [framed(Buffer.alloc(OVERSIZED_BYTES, below(chance, 256)))], endingOf(chance));
  const vanishes = chance() < 0.5;
  if (way < 0.8) return { kind: 'bytes', port: 'admin', pieces: adminConnection(chance, TOPIC, GROUP), vanishes };
  const { path } = rpcMethod(source.rpc);
  return {
    kind: 'bytes',
    port: 'clients',
    pieces: rawConnection(chance, path, framed(encoded(source))),
    vanishes,
  };
}

/** Chooses the RPC first, then one of its requests, so that rare RPCs are as frequent as others. */
function sourceOf(chance: Chance, recording: Recording): RecordedRequest {
  const rpc = oneOf(chance, rpcNames());
  const ofRpc = recording.filter((request) => request.rpc === rpc);
  return oneOf(chance, ofRpc.length === 0 ? recording : ofRpc);
}

/** Messages that are expensive for filters. */
function forFilters(chance: Chance, number: number): RecordedRequest {
  const messages = hostileBatch(chance).map(({ system, userProperties }, index) => {
    const id = `filtered-${number}-${index}`;
    return { ...message(FILTERED_TOPIC, id, { ...system, bornTimestamp: undefined }), userProperties };
  });
  return recorded('sendMessage', CLIENT_IDS[0] as string, { messages });
}

/** A receive of these messages. Each group reaches all of them. */
function filtered(chance: Chance): RecordedRequest {
  const receive = receiveRequest(FILTERED_TOPIC, oneOf(chance, FILTERING_GROUPS));
  return recorded('receiveMessage', oneOf(chance, CONSUMERS), { ...receive, filterExpression: hostileFilter(chance) });
}

/** A recorded request with a field or some bytes changed; some stay as they are, and are accepted. */
function mutated(chance: Chance, source: RecordedRequest): Call {
  const way = chance();
  const ending: Ending = chance() < 0.9 ? 'half-close' : endingOf(chance);
  if (way < 0.3) return callOf(source, [framed(encoded(source))], ending);
  if (way < 0.5) return callOf(source, [framed(mutatedBytes(chance, encoded(source)))], ending);
  let request: unknown = source.request;
  for (let turn = 0; turn <= below(chance, 3); turn++) request = mutatedValue(chance, request);
  const changed = { ...source, request } as RecordedRequest;
  return callOf(source, [framed(encodedIfPossible(changed) ?? mutatedBytes(chance, encoded(source)))], ending);
}

/** Bytes that are not a valid request, or two requests in one. */
function garbled(chance: Chance, source: RecordedRequest, recording: Recording): Buffer {
  const ways: (() => Buffer)[] = [
    () => noise(chance, below(chance, 400)),
    () => encoded(oneOf(chance, recording)),
    () => Buffer.concat([encoded(source), encoded(oneOf(chance, recording))]),
    () => mutatedBytes(chance, mutatedBytes(chance, encoded(source))),
    // Deeply nested groups, which overflow the stack of a recursive parser.
    () => Buffer.alloc(below(chance, 200_000), 0x0b),
    // As many empty messages or keys as fit: two bytes on the wire become an object in memory.
    () => Buffer.alloc(2 * below(chance, MAX_EMPTY_FIELDS), Buffer.from([oneOf(chance, [0x0a, 0x12, 0x1a, 0x22]), 0])),
    // A field with a length of 2 GiB.
    () => Buffer.concat([encoded(source), Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x07])]),
  ];
  return oneOf(chance, ways)();
}

/** Several messages where one is allowed, or unsolicited commands. */
function outOfOrder(chance: Chance, source: RecordedRequest, recording: Recording): Buffer[] {
  const count = 1 + below(chance, 20);
  return Array.from({ length: count }, () => framed(encoded(chance() < 0.5 ? source : oneOf(chance, recording))));
}

function wrongHeaders(chance: Chance, source: RecordedRequest): Call {
  const call = callOf(source, [framed(encoded(source))], endingOf(chance));
  const ways: (() => Record<string, string>)[] = [
    () => ({ 'grpc-timeout': oneOf(chance, TIMEOUTS) }),
    () => ({ 'content-type': oneOf(chance, ['', 'text/plain', 'application/grpc+json', 'application/grpcx']) }),
    () => ({ ':method': oneOf(chance, ['GET', 'PUT', 'OPTIONS']) }),
    () => ({ ':path': oneOf(chance, ['/', '/x/y', `${rpcMethod(source.rpc).path}/`, `/${'p'.repeat(12_000)}`]) }),
    () => ({ 'x-mq-client-id': oneOf(chance, ['', ' ', 'y'.repeat(8_000), '__proto__']) }),
    () => ({ 'x-mq-language': oneOf(chance, ['', 'COBOL', 'z'.repeat(9_000)]) }),
    () => ({ 'x-mq-client-version': oneOf(chance, ['', '9', 'v'.repeat(1_000)]) }),
    () => ({ authorization: oneOf(chance, ['', 'MQv2-HMAC-SHA1', 'MQv2-HMAC-SHA1 Credential=, Signature=']) }),
    () => ({ 'grpc-encoding': 'gzip', 'content-length': String(below(chance, 1_000)) }),
    () => Object.fromEntries(Array.from({ length: below(chance, 400) }, (_, index) => [`x-${index}`, 'v'.repeat(60)])),
  ];
  const headers = oneOf(chance, ways)();
  const isPathless = ':path' in headers;
  return { ...call, rpc: isPathless ? undefined : call.rpc, headers: { ...call.headers, ...headers } };
}

/** Streams that are opened, get some bytes or none, and are abandoned. */
function left(chance: Chance, source: RecordedRequest): Call {
  const ending = oneOf<Ending>(chance, ['reset', 'abandon', 'abandon', 'cut']);
  return callOf(source, chance() < 0.3 ? [] : [framed(encoded(source))], ending);
}

function endingOf(chance: Chance): Ending {
  return oneOf<Ending>(chance, ['half-close', 'half-close', 'half-close', 'half-close', 'reset', 'abandon', 'cut']);
}

function callOf({ rpc, clientId }: RecordedRequest, pieces: readonly Buffer[], ending: Ending): Call {
  const known = CLIENT_IDS.includes(clientId) ? clientId : (CLIENT_IDS[0] as string);
  const headers = { ':path': rpcMethod(rpc).path, 'x-mq-client-id': known, 'grpc-timeout': '20S' };
  return { kind: 'call', rpc, headers, pieces, ending };
}

function encoded({ rpc, request }: RecordedRequest): Buffer {
  return Buffer.from(rpcMethod(rpc).request.encode(request).finish());
}

/** Undefined for a request that its codec cannot encode. */
function encodedIfPossible(source: RecordedRequest): Buffer | undefined {
  try {
    return encoded(source);
  } catch {
    return undefined;
  }
}
