// What is known of a run when it is over: what the databases hold, and the answers that customers got.

/** The states of an order, as its service reports them. */
export type Status = 'PENDING_STOCK' | 'PENDING_PAYMENT' | 'PAID' | 'REJECTED' | 'CANCELLED';

export interface OrderFact {
  readonly id: string;
  readonly sku: string;
  readonly quantity: number;
  readonly status: Status;
  readonly expiresAtMs: number;
}

/** One line of a history. */
export interface Entry {
  /** Counted by its service. */
  readonly id: number;
  readonly orderId: string;
  readonly atMs: number;
  readonly what: string;
  readonly messageId: string | null;
  readonly attempt: number | null;
}

export interface OrderEntry extends Entry {
  /** The state it led to. */
  readonly status: Status;
}

export interface ReservationFact {
  readonly orderId: string;
  /** Null when the return came first. */
  readonly sku: string | null;
  readonly quantity: number;
  readonly status: 'RESERVED' | 'REJECTED' | 'SOLD' | 'RETURNED';
}

export interface StockFact {
  readonly sku: string;
  readonly available: number;
  readonly reserved: number;
  readonly sold: number;
}

/** The answer to a customer. */
export type Answer =
  /** It is done, and the order is in this state. */
  | { readonly kind: 'done'; readonly status: Status }
  /** It cannot be done, since the order is in this state. */
  | { readonly kind: 'conflict'; readonly status: Status }
  /** It failed and has no effect. */
  | { readonly kind: 'not-done' }
  /** It failed, or no answer came: it may have an effect. */
  | { readonly kind: 'unknown' }
  /** What no fault explains. */
  | { readonly kind: 'wrong'; readonly text: string };

/** What a customer asked for. */
export type Request =
  | { readonly kind: 'place'; readonly sku: string; readonly quantity: number }
  | { readonly kind: 'pay' | 'cancel' | 'look'; readonly orderId: string };

/** One request with its answer. */
export type Call = Request & {
  /** Calls of one customer that do not overlap are in their order. */
  readonly customer: number;
  readonly beganAtMs: number;
  readonly endedAtMs: number;
  readonly answer: Answer;
  /** Of a `place` that was answered. */
  readonly placedId?: string;
};

export interface ChaosFacts {
  /** How many pieces of each product there were. */
  readonly totals: ReadonlyMap<string, number>;
  readonly stock: readonly StockFact[];
  readonly orders: readonly OrderFact[];
  /** In the order in which they were written. */
  readonly orderHistory: readonly OrderEntry[];
  readonly reservations: readonly ReservationFact[];
  /** In the order in which they were written. */
  readonly stockHistory: readonly Entry[];
  readonly calls: readonly Call[];
}
