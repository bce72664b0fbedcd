import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { Injectable, Module } from '@nestjs/common';
import {
  DeadLetterError,
  type MessageHook,
  type MessageView,
  type OutgoingMessage,
  RocketMQModule,
} from 'nestjs-rocketmq';

@Injectable()
export class Keys {
  readonly current = randomBytes(32);
}

/** Encrypts every body that is sent, and decrypts every body that is received. Tags, keys and properties stay readable. */
@Injectable()
export class Encryption implements MessageHook {
  constructor(private readonly keys: Keys) {}

  outgoing(message: OutgoingMessage): OutgoingMessage {
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', this.keys.current, nonce);
    const text = Buffer.concat([cipher.update(message.body), cipher.final()]);
    const properties = { ...message.properties, sealed: cipher.getAuthTag().toString('base64') };
    return { ...message, body: Buffer.concat([nonce, text]), properties };
  }

  incoming(message: MessageView): MessageView {
    const { body, properties } = message;
    if (properties.sealed === undefined) return message;
    const decipher = createDecipheriv('aes-256-gcm', this.keys.current, body.subarray(0, 12));
    decipher.setAuthTag(Buffer.from(properties.sealed, 'base64'));
    try {
      return { ...message, body: Buffer.concat([decipher.update(body.subarray(12)), decipher.final()]) };
    } catch (cause) {
      // No retry can help: dead-letter the message.
      throw new DeadLetterError('the body cannot be decrypted', { cause });
    }
  }
}

@Module({ providers: [Keys, Encryption], exports: [Encryption] })
export class EncryptionModule {}

@Module({
  imports: [
    EncryptionModule,
    RocketMQModule.forRoot({ endpoints: 'embedded:', consumerGroup: 'letters', hooks: [Encryption] }),
  ],
})
export class LettersModule {}
