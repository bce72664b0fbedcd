// Prepares a message from the wire for a handler: verifies its digest and decompresses its body.

import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import {
  type Digest,
  DigestType,
  type Message as WireMessage,
} from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { fromWireMessage, hasPackedBody } from '../../protocol/grpc/message-mapping.js';
import { unpackBody } from '../../protocol/model/body-encoding.js';
import type { MessageView } from '../../protocol/model/message.js';
import { describeError } from '../../support/logger.js';

/** A message, and why its body is invalid, if it is; its `body` is then as it was received. */
export interface OpenedMessage {
  readonly message: MessageView;
  readonly bodyProblem: string | undefined;
}

/** A message whose body may still be compressed. */
export interface IncomingMessage extends OpenedMessage {
  readonly isPacked: boolean;
}

/**
 * An invalid body is reported, not thrown, so that it does not fail the rest of its batch.
 * @param brokerName where it is from
 */
export function incomingMessage(wire: WireMessage, brokerName?: string): IncomingMessage {
  const message = fromWireMessage(wire, brokerName);
  if (!digestMatches(message.body, wire.systemProperties?.bodyDigest)) {
    return { message, bodyProblem: 'the digest does not match the body', isPacked: false };
  }
  return { message, bodyProblem: undefined, isPacked: hasPackedBody(wire) };
}

/** The message with its body as it was sent; never rejects. */
export async function unpackedMessage(message: MessageView, maxUnpackedBytes: number): Promise<OpenedMessage> {
  try {
    const body = await unpackBody(message.body, maxUnpackedBytes);
    return { message: { ...message, body }, bodyProblem: undefined };
  } catch (error) {
    const problem = `the body cannot be decompressed within ${maxUnpackedBytes} bytes: ${describeError(error)}`;
    return { message, bodyProblem: problem };
  }
}

function digestMatches(body: Buffer, digest: Digest | undefined): boolean {
  if (digest === undefined || digest.checksum === '') return true;
  const checksum = digest.checksum.toLowerCase();
  switch (digest.type) {
    case DigestType.MD5:
      return checksum === hash('md5', body, 'hex');
    case DigestType.SHA1:
      return checksum === hash('sha1', body, 'hex');
    case DigestType.CRC32:
      return crcTexts(crc32(body)).includes(checksum);
    default:
      return true;
  }
}

/** The official clients write the same sum in three ways: Java as hex, Python as padded hex, Node as decimal. */
function crcTexts(sum: number): string[] {
  const hex = sum.toString(16);
  return [hex, hex.padStart(8, '0'), String(sum)];
}
