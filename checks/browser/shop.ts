// The page as a visitor meets it: by roles and names.

import type { Browser, BrowserContext, BrowserContextOptions, Locator, Page } from 'playwright-core';

export type Look = BrowserContextOptions;

interface Stock {
  available: number;
  reserved: number;
  sold: number;
}

const TIMEOUT_MS = 45_000;
/** What a browser says by itself while a service is away that a scenario has stopped. */
const AWAY =
  /net::ERR_(CONNECTION_REFUSED|CONNECTION_RESET|EMPTY_RESPONSE|INCOMPLETE_CHUNKED_ENCODING|SOCKET_NOT_CONNECTED)|status of 503/;

export class Shop {
  /** Errors of the console and of scripts. */
  errors: string[] = [];
  #mayBeAway = false;

  constructor(
    readonly context: BrowserContext,
    public page: Page,
  ) {
    page.setDefaultTimeout(TIMEOUT_MS);
    page.on('console', (message) => {
      if (message.type() === 'error' && !(this.#mayBeAway && AWAY.test(message.text())))
        this.errors.push(message.text());
    });
    page.on('pageerror', (error) => this.errors.push(String(error)));
  }

  static async open(browser: Browser, url: string, look: Look) {
    const context = await browser.newContext({ ...look, baseURL: url });
    const shop = new Shop(context, await context.newPage());
    await shop.page.goto(url);
    await shop.#isShown();
    await shop.page.getByRole('button', { name: 'Order one book' }).waitFor();
    return shop;
  }

  close(): Promise<void> {
    return this.context.close();
  }

  forgetErrors(): void {
    this.errors = [];
  }

  async go(view: string): Promise<void> {
    await this.page.getByRole('link', { name: view }).click();
    await this.page.getByRole('heading', { name: view === 'Flow' ? 'Flow' : 'Shop window', exact: true }).waitFor();
  }

  async goByKeyboard(view: string): Promise<void> {
    await this.page.getByRole('link', { name: view }).focus();
    await this.page.keyboard.press('Enter');
  }

  /** Orders one; resolves when it is in the list. */
  order(sku: string) {
    return this.#ordered(sku, (button) => button.click());
  }

  orderByKeyboard(sku: string) {
    return this.#ordered(sku, (button) => button.press('Enter'));
  }

  async #ordered(sku: string, press: (button: Locator) => Promise<void>) {
    const answered = this.page.waitForResponse(
      (response) => response.request().method() === 'POST' && response.url().endsWith('/orders'),
    );
    await press(this.page.getByRole('button', { name: `Order one ${sku}` }));
    const order = new OrderCard(this.page, await (await answered).json());
    await order.card.waitFor();
    return order;
  }

  /** Presses a button that breaks something. `isAwayFor`: a service goes away by it. */
  async break(title: string, { isAwayFor = false } = {}): Promise<void> {
    if (isAwayFor) this.#mayBeAway = true;
    // Steps from before prove nothing.
    await this.page.evaluate(() => document.getElementById('steps')?.replaceChildren());
    const item = this.page
      .locator('#faults > li')
      .filter({ has: this.page.getByRole('heading', { name: title, exact: true }) });
    await item.getByRole('button').click();
  }

  /** A step is shown, after the last break. */
  async hasLatestStep(pattern: RegExp): Promise<void> {
    await this.page.locator('#steps > li').filter({ hasText: pattern }).first().waitFor({ state: 'attached' });
  }

  /** The ids of all orders, as the service returns them. */
  async orders(): Promise<string[]> {
    const orders: { id: string }[] = await (await this.page.request.get('/orders')).json();
    return orders.map(({ id }) => id);
  }

  async goesAwayAndComesBack(): Promise<void> {
    const connection = this.page.locator('#connection');
    await connection.getByText('order-demo is unavailable').waitFor();
    await connection.getByText('live', { exact: true }).waitFor();
  }

  async stock(sku: string): Promise<Stock> {
    const text = await this.#sum(sku).textContent();
    const [, available, reserved, sold] = /: (\d+) \+ (\d+) \+ (\d+) = \d+ ✓/.exec(text ?? '') ?? [];
    if (sold === undefined) throw new Error(`the sum of ${sku} is "${text}"`);
    return { available: Number(available), reserved: Number(reserved), sold: Number(sold) };
  }

  async hasStock(sku: string, { available, reserved, sold }: Stock): Promise<void> {
    const text = `${sku}: ${available} + ${reserved} + ${sold} = ${available + reserved + sold} ✓`;
    await this.page.locator('#sums').getByText(text, { exact: true }).waitFor();
  }

  /** The invariant is in sight, and holds. */
  async isWhole(): Promise<void> {
    await this.page.locator('#sums > li').first().waitFor({ state: 'visible' });
    for (const sku of ['book', 'chair', 'lamp']) await this.stock(sku);
  }

  /** The titles of what can be broken. */
  faults(): Promise<string[]> {
    return this.page.locator('#faults > li h3').allTextContents();
  }

  /** The names of all controls that can be seen, in the order of the document. */
  controls(): Promise<string[]> {
    return this.page.evaluate(() => {
      const all = [...document.querySelectorAll('a[href], button, summary')];
      return all
        .filter((element) => element.checkVisibility())
        .map((element) => element.ariaLabel ?? element.textContent);
    });
  }

  /** As if it was just opened: nothing has the focus, and Tab begins at the top. */
  async reload(): Promise<void> {
    await this.page.reload();
    await this.#isShown();
  }

  async #isShown(): Promise<void> {
    await this.page.getByText('live', { exact: true }).waitFor();
    await this.page.locator('#sums > li').first().waitFor();
  }

  /**
   * Presses Tab until the page is left.
   * @returns the names of what had the focus; each must be in sight, and show it
   */
  async walk() {
    const names: (string | null)[] = [];
    for (;;) {
      await this.page.keyboard.press('Tab');
      const focused = await this.page.evaluate(() => {
        const element = document.activeElement;
        if (element === null || element === document.body) return undefined;
        const { left, top, width, height } = element.getBoundingClientRect();
        const onTop = document.elementFromPoint(left + width / 2, top + height / 2);
        return {
          name: element.ariaLabel ?? element.textContent,
          isInSight: element.contains(onTop),
          isMarked: getComputedStyle(element).outlineStyle !== 'none',
        };
      });
      if (focused === undefined || names.length > 200) return names;
      if (!focused.isInSight) throw new Error(`"${focused.name}" has the focus and is covered, or out of sight`);
      if (!focused.isMarked) throw new Error(`"${focused.name}" does not show that it has the focus`);
      names.push(focused.name);
    }
  }

  /** From now on the page counts at how many places each message of the drawing is. */
  async watchMessages(): Promise<void> {
    await this.page.evaluate(() => {
      window.places = new Map();
      const look = (dot: Element) => {
        if (!dot.isConnected) return;
        window.places.get(dot)?.add(getComputedStyle(dot).transform);
        requestAnimationFrame(() => look(dot));
      };
      const watcher = new MutationObserver((changes) => {
        const added = changes.flatMap(({ addedNodes }) => [...addedNodes]);
        for (const dot of added) {
          if (!(dot instanceof Element) || dot.localName !== 'circle') continue;
          window.places.set(dot, new Set());
          look(dot);
        }
      });
      const drawing = document.querySelector('#diagram svg');
      if (drawing === null) throw new Error('there is no drawing');
      watcher.observe(drawing, { childList: true });
    });
  }

  /** Waits until no message is on its way, after at least one. @returns at how many places each was */
  async seenMessages() {
    await this.page.waitForFunction(() => window.places.size > 0 && document.querySelector('#diagram circle') === null);
    return this.page.evaluate(() => [...window.places.values()].map(({ size }) => size));
  }

  /** Whether nothing is wider than the window. */
  fits(): Promise<boolean> {
    return this.page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth);
  }

  #sum(sku: string) {
    return this.page.locator('#sums > li').filter({ hasText: `${sku}:` });
  }
}

class OrderCard {
  readonly id: string;
  readonly sku: string;
  readonly expiresAtMs: number;
  readonly card: Locator;

  constructor(
    public page: Page,
    { id, sku, expiresAt }: { id: string; sku: string; expiresAt: string },
  ) {
    this.id = id;
    this.sku = sku;
    this.expiresAtMs = Date.parse(expiresAt);
    this.card = page.locator('#orders > li').filter({ hasText: id });
  }

  has(status: string): Promise<void> {
    return this.card.locator('.status').getByText(status, { exact: true }).waitFor();
  }

  async showTimeline(): Promise<void> {
    await this.card.locator('summary').click();
    await this.hasStep('created');
  }

  hasStep(what: string): Promise<void> {
    return this.card
      .locator('.timeline > li')
      .filter({ hasText: ` ${what} ` })
      .first()
      .waitFor();
  }

  /** The countdown is there and moves. */
  async counts(): Promise<void> {
    const countdown = this.card.getByRole('timer');
    const before = await countdown.textContent();
    if (!/^times out in [\d.]+ s$/.test(before ?? '')) throw new Error(`the countdown says "${before}"`);
    const element = await countdown.elementHandle();
    await this.page.waitForFunction(({ element, before }) => element?.textContent !== before, { element, before });
  }

  /** The names of its buttons that can be seen. */
  buttons(): Promise<string[]> {
    return this.card.locator('.buttons button:visible').allTextContents();
  }

  /** The name of one of its controls. */
  control(text: string): string {
    const short = `${this.sku} ${this.id.slice(0, 8)}`;
    return text.endsWith(' of') ? `${text} ${short}` : `${text}: ${short}`;
  }

  press(text: string): Promise<void> {
    return this.card.getByRole('button', { name: new RegExp(`^${text}:`) }).click();
  }

  pressByKeyboard(text: string): Promise<void> {
    return this.card.getByRole('button', { name: new RegExp(`^${text}:`) }).press('Enter');
  }

  /** Whether its time to pay is not over yet. */
  async isBefore(): Promise<boolean> {
    return Date.now() < this.expiresAtMs;
  }
}
