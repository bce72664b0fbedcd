// The dead letters of which this console has sent an edited copy, as far as its process remembers: no broker knows a copy for a replay.

import { type DeadLetterView, positionOf } from 'nestjs-rocketmq/admin';

const MAX_COPIES = 10_000;

/** A dead letter: another one may be at its position when the queue was created again. */
interface EditedLetter {
  readonly consumerGroup: string;
  readonly position: string;
  readonly messageId: string;
}

export function letterOf(one: DeadLetterView): EditedLetter {
  return { consumerGroup: one.consumerGroup, position: positionOf(one), messageId: one.messageId };
}

export class EditedCopies {
  private readonly letters = new Set<string>();

  add(letter: EditedLetter): void {
    this.letters.add(keyOf(letter));
    const [oldest] = this.letters;
    if (this.letters.size > MAX_COPIES && oldest !== undefined) this.letters.delete(oldest);
  }

  has(letter: EditedLetter): boolean {
    return this.letters.has(keyOf(letter));
  }
}

function keyOf({ consumerGroup, position, messageId }: EditedLetter): string {
  return `${consumerGroup}/${position}/${messageId}`;
}
