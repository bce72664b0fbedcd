// The console as a visitor meets it: by roles and names, and by its keys.

import assert from 'node:assert/strict';

const PATIENCE_MS = 20_000;

export class ConsolePage {
  /** Errors of scripts, and what the content security policy refused. */
  errors = /** @type {string[]} */ ([]);
  #base = '';

  /** @param {import('playwright-core').BrowserContext} context @param {import('playwright-core').Page} page */
  constructor(context, page) {
    this.context = context;
    this.page = page;
    page.setDefaultTimeout(PATIENCE_MS);
    page.on('console', (message) => {
      if (message.type() === 'error') this.errors.push(message.text());
    });
    page.on('pageerror', (error) => this.errors.push(String(error)));
  }

  /** @param {import('playwright-core').Browser} browser @param {import('playwright-core').BrowserContextOptions} look */
  static async inNewContext(browser, look) {
    const context = await browser.newContext(look);
    return new ConsolePage(context, await context.newPage());
  }

  forgetErrors() {
    this.errors = [];
  }

  /** Opens its address, which may have a token. @param {string} url */
  async enter(url) {
    await this.page.goto(url);
    this.#base = new URL('.', this.page.url().split('?')[0]).href;
    await this.page.getByRole('navigation', { name: 'Pages' }).waitFor();
  }

  /** Opens a page by its address, as a link from elsewhere does. @param {string} path */
  async open(path) {
    await this.page.goto(this.#base + path);
  }

  /** @param {string} text */
  async has(text) {
    await this.page.getByText(text).filter({ visible: true }).first().waitFor();
  }

  /** @param {string} name */
  async heading(name) {
    await this.page.getByRole('heading', { name, level: 1 }).waitFor();
  }

  /** @param {number} count */
  async rows(count) {
    await this.page.waitForFunction((wanted) => document.querySelectorAll('[data-row]').length === wanted, count);
  }

  /** The event stream is open. */
  async live() {
    await this.page.getByText('Live', { exact: true }).first().waitFor();
  }

  /** @param {...string} keys one after the other */
  async keys(...keys) {
    for (const key of keys) await this.page.keyboard.press(key);
  }

  /** Presses a key until the row has the focus: it comes with its data. @param {string} key @param {string} text */
  async rowFocused(key, text) {
    const row = this.page.getByRole('row').filter({ hasText: text });
    await row.waitFor();
    await this.keys(key);
    await this.focused(row.getByRole('link'));
  }

  /**
   * Turns the wheel until the text is there: of a long list only what is in sight is in the page, and one turn ends where the page
   * ended when it was last drawn.
   * @param {string} text
   */
  async scrolledTo(text) {
    const lastTryAtMs = Date.now() + PATIENCE_MS;
    const there = this.page.getByText(text, { exact: true }).first();
    while (!(await there.isVisible()) && Date.now() < lastTryAtMs) {
      await this.page.mouse.wheel(0, 100_000);
      await this.page.waitForTimeout(50);
    }
    assert.ok(await there.isVisible(), `${text} is not at the end of the page`);
  }

  /** @param {import('playwright-core').Locator} control */
  async focused(control) {
    const lastTryAtMs = Date.now() + PATIENCE_MS;
    const is = () => control.evaluate((element) => element === document.activeElement);
    while (!(await is()) && Date.now() < lastTryAtMs) await this.page.waitForTimeout(50);
    assert.ok(await is(), `${control} does not have the focus`);
  }

  /** @param {string} name */
  dialog(name) {
    return this.page.getByRole('dialog', { name });
  }

  /** Nothing is wider than the window. */
  fits() {
    const width = this.page.viewportSize()?.width ?? 0;
    return this.page.evaluate((most) => document.documentElement.scrollWidth <= most, width);
  }

  close() {
    return this.context.close();
  }
}
