import { createHash } from 'node:crypto';
import { crc32, gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { DigestType, Encoding, Message } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { bodyDigest } from '../../protocol/grpc/message-mapping.js';
import { incomingMessage, type OpenedMessage, unpackedMessage } from './incoming-message.js';

const body = Buffer.from('größe 尺寸');
const wire = (
  bytes: Buffer,
  digest: { type: DigestType; checksum: string },
  bodyEncoding: Encoding = Encoding.IDENTITY,
): Message => Message.fromPartial({ body: bytes, systemProperties: { bodyDigest: digest, bodyEncoding } });

function unpacked(message: Message): Promise<OpenedMessage> {
  const incoming = incomingMessage(message);
  expect(incoming).toMatchObject({ bodyProblem: undefined, isPacked: true });
  return unpackedMessage(incoming.message, 1_000);
}

describe('an incoming message', () => {
  it('is accepted with a valid digest of each kind', async () => {
    const sum = crc32(body);
    const sha1 = createHash('sha1').update(body).digest('hex').toUpperCase();
    const digests = [
      bodyDigest(body),
      { type: DigestType.SHA1, checksum: sha1 },
      { type: DigestType.CRC32, checksum: sum.toString(16) },
      { type: DigestType.CRC32, checksum: sum.toString(16).toUpperCase().padStart(8, '0') },
      { type: DigestType.CRC32, checksum: String(sum) },
    ];
    for (const digest of digests) {
      expect(incomingMessage(wire(body, digest))).toMatchObject({ bodyProblem: undefined, isPacked: false });
    }
  });

  it('is reported as corrupt, with its body as it was received, when the digest does not match', async () => {
    for (const type of [DigestType.MD5, DigestType.SHA1, DigestType.CRC32]) {
      const incoming = incomingMessage(wire(body, { type, checksum: 'ABCD' }));
      expect(incoming.bodyProblem).toContain('digest');
      expect(incoming.message.body).toEqual(body);
    }
  });

  it('is decompressed; its digest is that of the compressed bytes', async () => {
    const packed = gzipSync(body);
    const incoming = await unpacked(wire(packed, bodyDigest(packed), Encoding.GZIP));
    expect(incoming).toMatchObject({ bodyProblem: undefined, message: { body } });
  });

  it('is not decompressed beyond the limit', async () => {
    const packed = gzipSync(Buffer.alloc(1_001));
    const incoming = await unpacked(wire(packed, bodyDigest(packed), Encoding.GZIP));
    expect(incoming.bodyProblem).toContain('cannot be decompressed within 1000 bytes');
  });
});
