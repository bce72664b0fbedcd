// Requests from anyone, read with a bound on what they are made into. A field of two bytes becomes an object of hundreds.

import { BinaryReader } from '@bufbuild/protobuf/wire';
import { MessagingServiceDefinition } from './generated/apache/rocketmq/v2/service.js';
import { type RpcName, type RpcRequest, rpcMethod } from './rpc.js';

/**
 * How many numbers that say what follows (tags and lengths) a request may have: those of 10,000 messages, or of 500 with all the
 * properties that are allowed.
 */
export const MOST_NUMBERS = 2 ** 19;

/** A request has more parts than any that does something. */
export class TooManyFields extends Error {}

/**
 * Reads a request.
 * @throws TooManyFields
 * @throws Error when the bytes are none of the protocol
 */
export function decodeRequest<N extends RpcName>(name: N, bytes: Buffer): RpcRequest<N> {
  // Each number takes a byte at least.
  if (bytes.length <= MOST_NUMBERS) return rpcMethod(name).request.decode(bytes);
  const codec = MessagingServiceDefinition.methods[name].requestType;
  return codec.decode(countingReader(bytes)) as RpcRequest<N>;
}

function countingReader(bytes: Buffer): BinaryReader {
  const reader = new BinaryReader(bytes);
  const read = reader.uint32.bind(reader);
  let left = MOST_NUMBERS;
  const counted = (): number => {
    if (left-- === 0) throw new TooManyFields(`the request has more than ${MOST_NUMBERS} fields and lengths of fields`);
    return read();
  };
  return Object.assign(reader, { uint32: counted });
}
