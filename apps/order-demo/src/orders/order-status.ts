// The states of an order and their transitions. Only the state decides what is allowed, never the clock.

export const ORDER_STATUSES = ['PENDING_STOCK', 'PENDING_PAYMENT', 'PAID', 'REJECTED', 'CANCELED'] as const;
export type OrderStatus = (typeof ORDER_STATUSES)[number];

/** The transitions: the states from which each state can be reached. */
export const REACHED_FROM = {
  PENDING_PAYMENT: ['PENDING_STOCK'],
  PAID: ['PENDING_PAYMENT'],
  REJECTED: ['PENDING_STOCK'],
  CANCELED: ['PENDING_STOCK', 'PENDING_PAYMENT'],
} as const satisfies Partial<Record<OrderStatus, readonly OrderStatus[]>>;

/** Whether the state is final. */
export function isEnded(status: OrderStatus): boolean {
  const left: readonly OrderStatus[] = Object.values(REACHED_FROM).flat();
  return !left.includes(status);
}
