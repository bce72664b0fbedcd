// Where an official client may see that the embedded broker is not an Apache RocketMQ 5.5.0, and why. An entry names one fact
// and both values; one that no longer holds fails the run.

export interface Difference {
  /** That see it. */
  clients: readonly string[];
  step: string;
  /** The line of the transcript. */
  what: string;
  /** The field of that line, nested ones with dots. */
  fact: string;
  embedded: unknown;
  real: unknown;
  /** Why the embedded broker is right to differ. */
  reason: string;
}

const ALL = ['java', 'node', 'python', 'go'];

export const DIFFERENCES: readonly Difference[] = [
  {
    clients: ALL,
    step: 'sql',
    what: 'an expression that is none',
    fact: 'code',
    embedded: 40010,
    real: 50001,
    reason:
      'ILLEGAL_FILTER_EXPRESSION says what is wrong; the real server hides its parser error as INTERNAL_SERVER_ERROR',
  },
  {
    clients: ALL,
    step: 'recall',
    what: 'recall by a handle of nonsense',
    fact: 'code',
    embedded: 40000,
    real: 50001,
    reason:
      'BAD_REQUEST: the caller sent nonsense; the real server answers INTERNAL_SERVER_ERROR to whatever a recall throws',
  },
  {
    clients: ALL,
    step: 'recall',
    what: 'recall what was due',
    fact: 'code',
    embedded: 40012,
    real: 50001,
    reason: 'ILLEGAL_DELIVERY_TIME: too late for this message; the real server answers INTERNAL_SERVER_ERROR, as above',
  },
  {
    clients: ['python', 'go'],
    step: 'leases',
    what: 'change to 1 s',
    fact: 'code',
    embedded: 40013,
    real: 50001,
    reason:
      'the client forgot its receipt handle when its change before was rejected, and sends none: INVALID_RECEIPT_HANDLE, as to ' +
      'every void handle, since official clients try for ever after INTERNAL_SERVER_ERROR',
  },
  {
    clients: ['python', 'go'],
    step: 'transactions',
    what: 'received',
    fact: 'messages.3.checked',
    embedded: true,
    real: false,
    reason:
      'these clients answer "unknown" by an end without a resolution, which uses up what the check opened; the commit then ' +
      'ends the copy from before the check, while the embedded broker keeps one half message',
  },
  ...[1, 2, 3].map((index) => ({
    clients: ['go-2'],
    step: 'remoting-send',
    what: 'received',
    fact: `messages.${index}.properties.UNIQ_KEY`,
    embedded: '',
    real: null,
    reason:
      'this client gives the messages of a batch no ids, and a broker adds one only to a message that is sent alone; here every message needs an id, ' +
      'by which gRPC consumers and the tools know it',
  })),
];
