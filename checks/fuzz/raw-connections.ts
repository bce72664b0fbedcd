// The bytes for raw TCP connections: hand-made HTTP/2 frames, bytes that are not HTTP/2, and remoting frames for the name server port.

import { encodeFrame } from '../../libs/rocketmq/src/protocol/remoting/frame.js';
import { below, type Chance, noise, oneOf } from '../../tools/random.js';
import { FRAME_TYPE, headerBlock, http2Frame, PREFACE } from '../../tools/wire/http2-frames.js';
import { inPieces, mutatedBytes } from './mutations.js';

const END_STREAM = 1;
const END_HEADERS = 4;
const NO_PATHS = ['', '*', '/', '//', '/nothing', '/apache.rocketmq.v2.MessagingService/', '/a'.repeat(3_000)];

/** The pieces of one hostile connection to the port of the clients. */
export function rawConnection(chance: Chance, path: string, message: Buffer): Buffer[] {
  const opening = Buffer.concat([PREFACE, http2Frame(FRAME_TYPE.settings, 0, 0)]);
  const fields = headerFields(chance, path);
  const call = (stream: number): Buffer => http2Frame(FRAME_TYPE.headers, END_HEADERS, stream, headerBlock(fields));
  const data = (stream: number): Buffer => http2Frame(FRAME_TYPE.data, END_STREAM, stream, message);
  const reset = (stream: number): Buffer => http2Frame(FRAME_TYPE.reset, 0, stream, Buffer.from([0, 0, 0, 8]));
  const streams = Array.from({ length: 1 + below(chance, 60) }, (_, index) => 2 * index + 1);
  const ways: (() => Buffer)[] = [
    () => noise(chance, below(chance, 500)),
    () => Buffer.from(`GET ${path} HTTP/1.1\r\nhost: a\r\nupgrade: h2c\r\n\r\n`),
    () => Buffer.concat([Buffer.from([0x16, 3, 1, 2, 0]), noise(chance, 200)]),
    // Calls that are reset in the packet that opens them.
    () => Buffer.concat([opening, ...streams.flatMap((stream) => [call(stream), reset(stream)])]),
    () => Buffer.concat([opening, ...streams.flatMap((stream) => [call(stream), data(stream), reset(stream)])]),
    () => Buffer.concat([opening, call(1), data(1), call(3), data(3)]),
    () => Buffer.concat([opening, call(1), data(1), wildFrame(chance)]),
    () => Buffer.concat([opening, call(1), wildFrame(chance)]),
    () => Buffer.concat([opening, http2Frame(FRAME_TYPE.headers, 0, 1, headerBlock(fields))]),
    () => Buffer.concat([opening, call(1), data(1), data(1)]),
    () => Buffer.concat([opening, call(2 * below(chance, 3))]),
    () => Buffer.concat([opening, noise(chance, below(chance, 500))]),
    () => Buffer.concat([opening, call(1), data(1), data(1), call(1)]),
    () => Buffer.concat([opening, call(2), data(4), data(0)]),
    () => Buffer.concat([opening, wildFrame(chance), call(1), wildFrame(chance), data(1), wildFrame(chance)]),
    () => Buffer.concat([opening, http2Frame(FRAME_TYPE.headers, 0, 1, headerBlock(fields)), wildFrame(chance)]),
    () => mutatedBytes(chance, Buffer.concat([opening, call(1), data(1)])),
  ];
  const bytes = oneOf(chance, ways)();
  return inPieces(chance, chance() < 0.3 ? bytes.subarray(0, below(chance, bytes.length + 1)) : bytes);
}

function headerFields(chance: Chance, path: string): (readonly [string, string])[] {
  const fields: (readonly [string, string])[] = [
    [':method', chance() < 0.1 ? oneOf(chance, ['GET', 'CONNECT', 'OPTIONS', '']) : 'POST'],
    [':scheme', 'http'],
    [':path', chance() < 0.2 ? oneOf(chance, NO_PATHS) : path],
    [':authority', 'broker'],
    ['content-type', chance() < 0.1 ? 'text/html' : 'application/grpc'],
    ['te', 'trailers'],
    ['x-mq-client-id', 'fuzz-0'],
    ['x-mq-language', 'GO'],
    ['grpc-timeout', oneOf(chance, ['1S', '0n', '99999999H', 'soon'])],
  ];
  const way = chance();
  if (way < 0.15) return fields.filter((_, index) => index !== below(chance, fields.length));
  if (way < 0.25) return [...fields, oneOf(chance, fields)];
  if (way < 0.35)
    return [
      ...fields,
      oneOf(chance, [
        ['Upper', 'x'],
        ['connection', 'close'],
        ['', ''],
        [':late', 'x'],
        ['a', '\r\n\u0000'],
      ] as const),
    ];
  if (way < 0.4)
    return [
      ...fields,
      ...Array.from({ length: below(chance, 600) }, (_, index) => [`x-${index}`, 'y'.repeat(40)] as const),
    ];
  return fields;
}

/** A frame in a wrong place or with invalid content. */
function wildFrame(chance: Chance): Buffer {
  const types = Object.values(FRAME_TYPE);
  const payload = noise(chance, oneOf(chance, [0, 4, 5, 6, 8, 12, 100]));
  const zeros = Buffer.alloc(4);
  const ways: (() => Buffer)[] = [
    () => http2Frame(oneOf(chance, types), below(chance, 256), below(chance, 6), payload),
    () => http2Frame(FRAME_TYPE.window, 0, below(chance, 3), zeros),
    () => http2Frame(FRAME_TYPE.window, 0, below(chance, 3), Buffer.from([0x7f, 0xff, 0xff, 0xff])),
    () => http2Frame(FRAME_TYPE.settings, 0, 0, Buffer.from([0, 4, 0xff, 0xff, 0xff, 0xff])),
    // A window of zero, so that answers cannot be sent.
    () => http2Frame(FRAME_TYPE.settings, 0, 0, Buffer.from([0, 4, 0, 0, 0, 0])),
    () => http2Frame(FRAME_TYPE.priority, 0, 1, Buffer.from([0, 0, 0, 1, 0])),
    () => http2Frame(FRAME_TYPE.goaway, 0, 0, Buffer.alloc(8)),
    () =>
      Buffer.concat(
        Array.from({ length: below(chance, 200) }, () => http2Frame(FRAME_TYPE.ping, 0, 0, Buffer.alloc(8))),
      ),
    () => http2Frame(80 + below(chance, 100), 0, below(chance, 6), payload),
  ];
  return oneOf(chance, ways)();
}

/** The request codes of the name server port, without those that create or delete topics and groups, and two unknown codes. */
const ADMIN_CODES = [
  10, 11, 12, 14, 15, 21, 22, 28, 29, 30, 31, 34, 35, 36, 38, 41, 42, 46, 102, 105, 106, 201, 202, 203, 204, 206, 208,
  216, 222, 223, 224, 300, 304, 305, 307, 315, 317, 319, 328, 343, 351, 352, 400, 401, 200_050, 200_051, 200_052,
  200_053, 200_054, 200_055, 200_070, 200_071, 200_151, 9_999, -1,
];
/** Bodies that are nearly what some of them expect. */
const BODIES = [
  '{}',
  '[',
  '{"offsetTable":1}',
  'null',
  '{"a":{}}',
  '{"acks":[{"c":"g","t":"t","q":0,"so":0,"rq":1,"b":"/////w=="},1,null,{"b":[]}]}',
  '{"subscriptionSet":[{"action":"PARTIAL_ADD","clientId":"c","group":"g","topic":"t","liteTopicSet":[1,"a"]}]}',
  '{"topic":"t","consumerGroup":"g","clientId":1e300,"strategyName":"AVG","messageModel":"CLUSTERING"}',
  '{"consumerGroup":1,"clientId":{},"mqSet":[null,{"brokerName":"embedded","topic":"t","queueId":-1}]}',
];
/** As it may be in `extraInfo`. */
const EXTRA_INFO = '0 1 30000 1 0 embedded 0 0';

/** The pieces of one hostile connection to the name server port. */
export function adminConnection(chance: Chance, topic: string, group: string): Buffer[] {
  const odd = [
    '',
    '-1',
    'x',
    '99999999999999999999',
    '{',
    '*',
    '0',
    '%RETRY%x',
    '__proto__',
    'true',
    'SQL92',
    EXTRA_INFO,
  ];
  const values = [topic, group, ...odd];
  const names = [
    'topic',
    'consumerGroup',
    'group',
    'queueId',
    'offset',
    'timestamp',
    'key',
    'maxNum',
    'msgId',
    'maxMsgNums',
    'maxMsgNum',
    'invisibleTime',
    'pollTime',
    'exp',
    'expType',
    'order',
    'extraInfo',
    'clientId',
    'liteTopic',
    'toString',
  ];
  const request = (opaque: number): Buffer =>
    encodeFrame({
      code: oneOf(chance, ADMIN_CODES),
      opaque: chance() < 0.05 ? 1e300 : opaque,
      isOneWay: chance() < 0.1,
      isResponse: chance() < 0.1,
      fields: Object.fromEntries(names.filter(() => chance() < 0.6).map((name) => [name, oneOf(chance, values)])),
      body: chance() < 0.2 ? Buffer.from(oneOf(chance, BODIES)) : Buffer.alloc(0),
    });
  const requests = Buffer.concat(Array.from({ length: 1 + below(chance, 4) }, (_, index) => request(index)));
  const header = (text: string): Buffer => {
    const length = Buffer.alloc(8);
    length.writeInt32BE(4 + Buffer.byteLength(text), 0);
    length.writeInt32BE(Buffer.byteLength(text), 4);
    return Buffer.concat([length, Buffer.from(text)]);
  };
  const ways: (() => Buffer)[] = [
    () => requests,
    () => requests,
    () => mutatedBytes(chance, requests),
    () => requests.subarray(0, below(chance, requests.length)),
    () => noise(chance, below(chance, 300)),
    () => header('['.repeat(below(chance, 200_000))),
    () =>
      header(
        oneOf(chance, [
          'null',
          '1',
          '{"code":{}}',
          '{"code":105,"opaque":1,"extFields":[1,{}]}',
          '{"code":11,"opaque":null}',
        ]),
      ),
    () => Buffer.from([0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]),
    () => Buffer.from([0x80, 0, 0, 0]),
  ];
  return inPieces(chance, oneOf(chance, ways)());
}
