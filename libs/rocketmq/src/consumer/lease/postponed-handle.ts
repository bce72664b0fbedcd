// The handle that an answer to ChangeInvisibleDuration brings.

/** As Apache's proxies write them; `999` is the revive queue of ordered deliveries, whose start is kept. @see ReceiptHandle of the server */
const HANDLE = /^-?\d{1,19} (\d{1,19} \d{1,19} (?!999 )\d{1,10} [012] \S+ \d{1,10} (\d{1,19})(?: .*)?)$/;

/**
 * A handle that finds the delivery which the broker has begun with the change: it starts at the message. A proxy in local mode, up to 5.5.0,
 * returns the start of the former delivery with it, so that the broker accepts an acknowledgment or another change, finds nothing to end,
 * and redelivers the message: each but the first of an answer. Other texts stay as they are.
 * @see LocalMessageService.changeInvisibleTime and ChangeInvisibleTimeProcessor.appendCheckPoint of the server; apache/rocketmq 9583
 */
export function postponedHandle(text: string): string {
  return text.replace(HANDLE, '$2 $1');
}
