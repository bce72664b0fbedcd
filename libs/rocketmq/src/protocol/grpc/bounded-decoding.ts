// Decodes untrusted requests with a bound on the objects that they create: a field of two bytes can become an object of hundreds.

import { BinaryReader } from '@bufbuild/protobuf/wire';
import { MessagingServiceDefinition } from './generated/apache/rocketmq/v2/service.js';
import { type RpcName, type RpcRequest, rpcMethod } from './rpc.js';

/**
 * How many tags and lengths a request may contain: enough for 10,000 messages, or for 500 with the maximum number of properties.
 */
const MAX_NUMBERS = 2 ** 19;

/** A request has more fields than any legitimate one. */
export class TooManyFields extends Error {}

/**
 * Decodes a request.
 * @throws TooManyFields
 * @throws Error when the bytes are not a valid message
 */
export function decodeRequest<N extends RpcName>(name: N, bytes: Buffer): RpcRequest<N> {
  // Each tag or length takes at least one byte.
  if (bytes.length <= MAX_NUMBERS) return rpcMethod(name).request.decode(bytes);
  const codec = MessagingServiceDefinition.methods[name].requestType;
  return codec.decode(countingReader(bytes)) as RpcRequest<N>;
}

function countingReader(bytes: Buffer): BinaryReader {
  const reader = new BinaryReader(bytes);
  const read = reader.uint32.bind(reader);
  let left = MAX_NUMBERS;
  const counted = (): number => {
    if (left-- === 0) throw new TooManyFields(`the request has more than ${MAX_NUMBERS} tags and lengths of fields`);
    return read();
  };
  return Object.assign(reader, { uint32: counted });
}
