// What these suites put into the page.

interface Window {
  /** Of axe-core. */
  axe: typeof import('axe-core');
  /** At which places each message of the drawing was seen. */
  places: Map<Element, Set<string>>;
  /** When the first row of data was in the page, as `performance.now()`. */
  firstRowMs: number;
}
