import { Injectable } from '@nestjs/common';
import { defineTopic, RocketMQContext, RocketMQListener, RocketMQListeners, RocketMQProducer } from 'nestjs-rocketmq';

export interface Token {
  readonly text: string;
}

/** The answers of an assistant, piece by piece; each conversation is a lite topic. */
export const AnswerToken = defineTopic<Token>('answer-tokens', { type: 'lite' });

const Unread = defineTopic('answer-tokens-unread', { type: 'normal' });

/** Where the answers are written. */
@Injectable()
export class Assistant {
  constructor(private readonly producer: RocketMQProducer) {}

  async answer(conversation: string, texts: readonly string[]): Promise<void> {
    for (const text of texts) await this.producer.send(AnswerToken, { text }, { liteTopic: conversation });
  }
}

/** Each instance of the web server receives the conversations of the people who are connected to it. */
@Injectable()
export class Gateway {
  readonly shown = new Map<string, string>();

  constructor(private readonly listeners: RocketMQListeners) {}

  @RocketMQListener(AnswerToken, { consumerGroup: 'gateway', name: 'answers', liteTopics: [], deadLetterTopic: Unread })
  show({ text }: Token, { message }: RocketMQContext): void {
    const conversation = message.liteTopic ?? '';
    this.shown.set(conversation, (this.shown.get(conversation) ?? '') + text);
  }

  async connected(conversation: string): Promise<void> {
    await this.listeners.subscribeLite('answers', conversation);
  }

  async disconnected(conversation: string): Promise<void> {
    await this.listeners.unsubscribeLite('answers', conversation);
  }
}
