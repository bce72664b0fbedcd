// The console as a visitor meets it: by roles and names, and by its keys.

import assert from 'node:assert/strict';
import type { Browser, BrowserContext, BrowserContextOptions, Locator, Page } from 'playwright-core';

const TIMEOUT_MS = 20_000;

export class ConsolePage {
  /** Errors of scripts, and what the content security policy rejected. */
  errors: string[] = [];
  #base = '';

  constructor(
    readonly context: BrowserContext,
    readonly page: Page,
  ) {
    page.setDefaultTimeout(TIMEOUT_MS);
    page.on('console', (message) => {
      if (message.type() === 'error') this.errors.push(message.text());
    });
    page.on('pageerror', (error) => this.errors.push(String(error)));
  }

  static async inNewContext(browser: Browser, look: BrowserContextOptions) {
    const context = await browser.newContext(look);
    return new ConsolePage(context, await context.newPage());
  }

  forgetErrors(): void {
    this.errors = [];
  }

  /** Opens its address, which may have a token. */
  async enter(url: string): Promise<void> {
    await this.page.goto(url);
    this.#base = new URL('.', this.page.url().split('?')[0]).href;
    await this.page.getByRole('navigation', { name: 'Pages' }).waitFor();
  }

  /** Opens a page by its address, as a link from elsewhere does. */
  async open(path: string): Promise<void> {
    await this.page.goto(this.#base + path);
  }

  async has(text: string): Promise<void> {
    await this.page.getByText(text).filter({ visible: true }).first().waitFor();
  }

  async heading(name: string): Promise<void> {
    await this.page.getByRole('heading', { name, level: 1 }).waitFor();
  }

  async rows(count: number): Promise<void> {
    await this.page.waitForFunction((wanted) => document.querySelectorAll('[data-row]').length === wanted, count);
  }

  /** The event stream is open. */
  async live(): Promise<void> {
    await this.page.getByText('Live', { exact: true }).first().waitFor();
  }

  /** @param keys one after the other */
  async keys(...keys: string[]): Promise<void> {
    for (const key of keys) await this.page.keyboard.press(key);
  }

  /** Presses a key until the row has the focus: it comes with its data. */
  async rowFocused(key: string, text: string): Promise<void> {
    const row = this.page.getByRole('row').filter({ hasText: text });
    await row.waitFor();
    await this.keys(key);
    await this.focused(row.getByRole('link'));
  }

  /**
   * Turns the wheel until the text is there: of a long list only what is in sight is in the page, and one turn ends where the page
   * ended when it was last drawn.
   */
  async scrolledTo(text: string): Promise<void> {
    const lastTryAtMs = Date.now() + TIMEOUT_MS;
    const there = this.page.getByText(text, { exact: true }).first();
    while (!(await there.isVisible()) && Date.now() < lastTryAtMs) {
      await this.page.mouse.wheel(0, 100_000);
      await this.page.waitForTimeout(50);
    }
    assert.ok(await there.isVisible(), `${text} is not at the end of the page`);
  }

  async focused(control: Locator): Promise<void> {
    const lastTryAtMs = Date.now() + TIMEOUT_MS;
    const is = () => control.evaluate((element) => element === document.activeElement);
    while (!(await is()) && Date.now() < lastTryAtMs) await this.page.waitForTimeout(50);
    assert.ok(await is(), `${control} does not have the focus`);
  }

  dialog(name: string) {
    return this.page.getByRole('dialog', { name });
  }

  /** Nothing is wider than the window. */
  fits(): Promise<boolean> {
    const width = this.page.viewportSize()?.width ?? 0;
    return this.page.evaluate((most) => document.documentElement.scrollWidth <= most, width);
  }

  close(): Promise<void> {
    return this.context.close();
  }
}
