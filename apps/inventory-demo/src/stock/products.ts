// What the demo starts with. Per product, available + reserved + sold stays this number for ever.

export interface Product {
  readonly sku: string;
  readonly quantity: number;
}

export const PRODUCTS: readonly Product[] = [
  { sku: 'book', quantity: 100 },
  { sku: 'chair', quantity: 10 },
  { sku: 'lamp', quantity: 25 },
];
