// What a broker can do, by its release. A cluster may run several releases during an upgrade.

import { RELEASE_5 } from '../protocol/remoting/releases.js';

/** Releases by the number that they send. @see MQVersion of the server */
const RELEASES = {
  v430: 273,
  v497: 407,
  v500: RELEASE_5,
  v510: 433,
  v511: 435,
  v513: 439,
  v532: 477,
  v540: 493,
  v550: 513,
} as const;

/** What needs a release, and which: for errors. */
export const FIRST_WITH = {
  transactionChecks: '4.3.0',
  pop: '5.0.0',
  timers: '5.0.0',
  orderedChange: '5.1.0',
  recall: '5.3.2',
  priority: '5.4.0',
  liteTopics: '5.5.0',
} as const;

/** What a broker can do. */
export interface BrokerAbilities {
  /** Asks producers about half messages; older ones leave those whose producer has died undelivered. */
  readonly checksTransactions: boolean;
  /** Stores a compressed half message again as it was when it checks it: 4.5.2 does not, 4.9.7 does. */
  readonly keepsPackedHalves: boolean;
  /** Hands out messages by POP; older ones serve clients that pull. */
  readonly pops: boolean;
  /** Delivers messages at a time; older ones deliver them at once. */
  readonly delays: boolean;
  /** Cancels delayed messages. */
  readonly recalls: boolean;
  /** Hands out messages by priority; older ones store it like any property. */
  readonly prioritizes: boolean;
  /** Changes the invisible time of an ordered delivery; older ones answer OK and do nothing. */
  readonly changesOrdered: boolean;
  /** Keeps what was acknowledged of an ordered batch, and repeats an ordered poll by its attempt id. */
  readonly keepsPartialAcks: boolean;
  /** Takes acknowledgements of several messages in one request. */
  readonly acksTogether: boolean;
  /** Knows consumers that pop, and shows them to tools as such. */
  readonly listsPopConsumers: boolean;
  /** Knows the language of this client; older ones would list it without any. */
  readonly knowsNodeJs: boolean;
  /** Has lite topics, and counts no attempt for a delivery that is suspended. */
  readonly hasLiteTopics: boolean;
}

/** @param release see `RemotingFrame.version` */
export function abilitiesOf(release: number): BrokerAbilities {
  return {
    checksTransactions: release >= RELEASES.v430,
    keepsPackedHalves: release >= RELEASES.v497,
    pops: release >= RELEASES.v500,
    delays: release >= RELEASES.v500,
    recalls: release >= RELEASES.v532,
    prioritizes: release >= RELEASES.v540,
    changesOrdered: release >= RELEASES.v510,
    keepsPartialAcks: release >= RELEASES.v511,
    acksTogether: release >= RELEASES.v513,
    listsPopConsumers: release >= RELEASES.v510,
    knowsNodeJs: release >= RELEASES.v532,
    hasLiteTopics: release >= RELEASES.v550,
  };
}
