// The facts of a run: the content of the databases, and the answers to customers.

export const APPS = ['order-demo', 'inventory-demo'] as const;
export type App = (typeof APPS)[number];

/** The states of an order, as its service reports them. */
export type Status = 'PENDING_STOCK' | 'PENDING_PAYMENT' | 'PAID' | 'REJECTED' | 'CANCELED';

export interface OrderFact {
  readonly id: string;
  readonly sku: string;
  readonly quantity: number;
  readonly status: Status;
  readonly expiresAtMs: number;
}

/** One line of a history. */
export interface Entry {
  /** The id in the history of its service. */
  readonly id: number;
  readonly orderId: string;
  readonly atMs: number;
  readonly what: string;
  readonly messageId: string | null;
  readonly attempt: number | null;
}

export interface OrderEntry extends Entry {
  /** The resulting state. */
  readonly status: Status;
}

export interface ReservationFact {
  readonly orderId: string;
  /** Null if the return arrived first. */
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
  /** The request succeeded, and the order is in this state. */
  | { readonly kind: 'done'; readonly status: Status }
  /** The request was rejected, because the order is in this state. */
  | { readonly kind: 'conflict'; readonly status: Status }
  /** The request failed without an effect. */
  | { readonly kind: 'not-done' }
  /** The request failed or was not answered; it may have an effect. */
  | { readonly kind: 'unknown' }
  /** An answer that no fault explains. */
  | { readonly kind: 'wrong'; readonly text: string };

/** The kind of request. */
export type Request =
  | { readonly kind: 'place'; readonly sku: string; readonly quantity: number }
  | { readonly kind: 'pay' | 'cancel' | 'look'; readonly orderId: string };

/** One request with its answer. */
export type Call = Request & {
  /** Calls of one customer that do not overlap are in order. */
  readonly customer: number;
  readonly beganAtMs: number;
  readonly endedAtMs: number;
  readonly answer: Answer;
  /** Set for an answered `place`. */
  readonly placedId?: string;
};

export interface ChaosFacts {
  /** The initial stock of each product. */
  readonly totals: ReadonlyMap<string, number>;
  readonly stock: readonly StockFact[];
  readonly orders: readonly OrderFact[];
  /** In the order of writing. */
  readonly orderHistory: readonly OrderEntry[];
  readonly reservations: readonly ReservationFact[];
  /** In the order of writing. */
  readonly stockHistory: readonly Entry[];
  readonly calls: readonly Call[];
}
