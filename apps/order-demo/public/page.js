// The page of order-demo: it polls the services, triggered by the live steps.

import { Flow } from './flow.js';

const SHOWN_ORDERS = 20;
const SHOWN_STEPS = 30;
const SOON_MS = 80;
/** Older steps are not animated. */
const FRESH_MS = 10_000;
const LOOK_AGAIN_MS = 5_000;
const RETRY_MS = 2_000;
const MAX_LOOKS = 50;
const ENDED = ['PAID', 'REJECTED', 'CANCELED'];
const STATUS_TEXT = {
  PENDING_STOCK: 'waits for stock',
  PENDING_PAYMENT: 'to be paid',
  PAID: 'paid',
  REJECTED: 'rejected: not enough in stock',
  CANCELED: 'canceled',
};

/** In the visitor's time zone. */
const TIME = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
  hourCycle: 'h23',
});

const find = (id) => document.getElementById(id);
const flow = new Flow(find('diagram'));
const cards = new Map();
const products = new Map();
const seen = new Set();
let settings = { paymentTimeoutMs: 0, canHurry: false, canBreak: false };

/** Creates an element with properties and children. */
function make(name, properties = {}, ...children) {
  const { data, ...rest } = properties;
  const element = Object.assign(document.createElement(name), rest);
  Object.assign(element.dataset, data);
  element.append(...children);
  return element;
}

function notice(text) {
  find('notice').textContent = text;
  clearTimeout(notice.timer);
  notice.timer = setTimeout(() => {
    find('notice').textContent = '';
  }, 9_000);
}

/** @throws Error with the message of the service */
async function ask(path, body) {
  const response = await fetch(path, {
    method: body === undefined ? 'GET' : 'POST',
    headers: body === undefined ? {} : { 'content-type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.message);
  return answer;
}

/** A button that shows the error when its action fails. */
function button(text, work, properties = {}) {
  const onclick = async () => {
    try {
      await work();
    } catch (error) {
      notice(error instanceof TypeError ? 'order-demo does not answer; the launcher restarts it' : error.message);
    }
  };
  return make('button', { type: 'button', ...properties, textContent: text, onclick });
}

// Products

function productCard(sku) {
  const counts = ['available', 'reserved', 'sold'].map((place) => [place, make('dd', { className: place })]);
  const terms = counts.map(([place, number]) => make('div', {}, make('dt', { textContent: place }), number));
  const order = button('Order one', () => ask('orders', { sku, quantity: 1 }), {
    className: 'main',
    ariaLabel: `Order one ${sku}`,
  });
  find('products').append(
    make('li', {}, make('h3', { textContent: sku }), make('dl', { className: 'counts' }, ...terms), order),
  );
  const sum = make('span');
  const parts = counts.map(([place]) => [place, make('span', { className: place })]);
  find('sums').append(
    make('li', {}, sum, make('div', { className: 'bar', ariaHidden: 'true' }, ...parts.map(([, part]) => part))),
  );
  return { counts, parts, sum };
}

function showProduct(row) {
  const { sku } = row;
  if (!products.has(sku)) products.set(sku, productCard(sku));
  const card = products.get(sku);
  const total = row.available + row.reserved + row.sold;
  for (const [place, number] of card.counts) number.textContent = row[place];
  for (const [place, part] of card.parts) part.style.flexGrow = row[place];
  const isKept = total === row.total;
  card.sum.textContent = `${sku}: ${row.available} + ${row.reserved} + ${row.sold} = ${total}${isKept ? ' ✓' : `, not ${row.total}!`}`;
  card.sum.className = isKept ? '' : 'wrong';
}

async function loadProducts() {
  try {
    for (const row of await ask('products')) showProduct(row);
    flow.mark('inventory', true);
  } catch {
    flow.mark('inventory', false);
  }
}

// Orders

function orderCard({ id, sku, quantity, expiresAt }) {
  const title = make('h3', { textContent: `${quantity} × ${sku}`, tabIndex: -1 });
  const status = make('span', { className: 'status' });
  const countdown = make('span', { className: 'countdown', role: 'timer' });
  const short = `${sku} ${id.slice(0, 8)}`;
  const act = (text, path) => button(text, () => ask(`orders/${id}/${path}`, {}), { ariaLabel: `${text}: ${short}` });
  const buttons = {
    pay: act('Pay', 'pay'),
    cancel: act('Cancel', 'cancel'),
    hurry: act('Time out now', 'time-out-now'),
  };
  buttons.pay.className = 'main';
  const steps = make('ol', { className: 'timeline' });
  const details = make('details', {}, make('summary', { textContent: `Time line of ${short}` }), steps);
  details.ontoggle = () => details.open && loadTimeline(id);
  const top = make('div', { className: 'top' }, title, status, make('code', { textContent: id }), countdown);
  const element = make(
    'li',
    { className: 'order' },
    top,
    make('div', { className: 'buttons' }, ...Object.values(buttons)),
    details,
  );
  return { element, title, status, countdown, buttons, steps, details, expiresAtMs: Date.parse(expiresAt), state: '' };
}

function showOrder(order) {
  const card = cards.get(order.id);
  card.state = order.status;
  card.status.textContent = STATUS_TEXT[order.status];
  card.status.dataset.status = order.status;
  const isOpen = !ENDED.includes(order.status);
  const hadFocus = Object.values(card.buttons).includes(document.activeElement);
  card.buttons.pay.hidden = order.status !== 'PENDING_PAYMENT';
  card.buttons.cancel.hidden = !isOpen;
  card.buttons.hurry.hidden = order.status !== 'PENDING_PAYMENT' || !settings.canHurry;
  if (hadFocus && document.activeElement.hidden) card.title.focus();
}

async function loadOrders() {
  const orders = (await ask('orders')).slice(0, SHOWN_ORDERS);
  for (const [index, order] of orders.entries()) {
    if (!cards.has(order.id)) {
      cards.set(order.id, orderCard(order));
      find('orders').insertBefore(cards.get(order.id).element, find('orders').children[index] ?? null);
    }
    showOrder(order);
  }
  for (const [id, card] of cards) {
    if (orders.some((order) => order.id === id)) continue;
    card.element.remove();
    cards.delete(id);
  }
  find('no-orders').hidden = orders.length > 0;
  countDown();
}

function countDown() {
  for (const { countdown, expiresAtMs, state } of cards.values()) {
    const leftMs = expiresAtMs - Date.now();
    const left = leftMs > 0 ? `times out in ${(leftMs / 1000).toFixed(leftMs < 10_000 ? 1 : 0)} s` : 'times out …';
    countdown.textContent = ENDED.includes(state) ? '' : left;
  }
}

// Time lines

function stepItem({ service, at, what, messageId, attempt }, about = '') {
  const time = make('time', { dateTime: at, textContent: TIME.format(new Date(at)) });
  const again = attempt === null ? '' : `, attempt ${attempt}`;
  const where = make('span', { className: 'where', textContent: `${service}${again}` });
  const item = make('li', { data: { service } }, time, ` ${about}${what} `, where);
  if (messageId !== null) item.append(make('code', { textContent: messageId }));
  return item;
}

async function loadTimeline(id) {
  const card = cards.get(id);
  if (card === undefined || !card.details.open) return;
  const { entries, isComplete } = await ask(`orders/${id}/timeline`);
  const missing = make('li', { textContent: 'inventory-demo does not answer: its steps will appear later' });
  card.steps.replaceChildren(...entries.map((entry) => stepItem(entry)), ...(isComplete ? [] : [missing]));
}

// Live

const waiting = new Map();
/** Runs something once, soon, however often it is requested. */
function soon(name, work) {
  if (waiting.has(name)) return;
  const run = () => {
    waiting.delete(name);
    // The next step or the next poll retries.
    work().catch(() => {});
  };
  waiting.set(name, setTimeout(run, SOON_MS));
}

function loadAll() {
  soon('products', loadProducts);
  soon('orders', loadOrders);
  for (const id of cards.keys()) soon(id, () => loadTimeline(id));
}

function take(entry) {
  const name = `${entry.service} ${entry.id}`;
  if (seen.has(name)) return;
  seen.add(name);
  if (seen.size > 1_000) seen.delete(seen.values().next().value);
  soon('products', loadProducts);
  soon('orders', loadOrders);
  soon(entry.orderId, () => loadTimeline(entry.orderId));
  const about = `${entry.orderId.slice(0, 8)} `;
  find('steps').prepend(stepItem(entry, about));
  find('steps').children[SHOWN_STEPS]?.remove();
  if (Date.now() - Date.parse(entry.at) > FRESH_MS || find('flow-view').hidden) return;
  find('last-step').textContent = `${entry.service}: ${entry.what}`;
  void flow.show(entry.what);
}

function watch(after = '') {
  const events = new EventSource(`events${after}`);
  let last = after;
  const isConnected = (isUp) => {
    find('connection').textContent = isUp ? 'live' : 'order-demo is unavailable, connecting …';
    flow.mark('order', isUp);
  };
  events.addEventListener('ready', ({ lastEventId }) => {
    last = `?after=${lastEventId}`;
    isConnected(true);
    loadAll();
  });
  events.onmessage = ({ data, lastEventId }) => {
    last = `?after=${lastEventId}`;
    take(JSON.parse(data));
  };
  events.onerror = () => {
    isConnected(false);
    // The browser reconnects by itself, unless it was rejected.
    if (events.readyState === EventSource.CLOSED) setTimeout(() => watch(last), RETRY_MS);
  };
}

// Breaking things

const orderBook = () => ask('orders', { sku: 'book', quantity: 1 });
const sleep = (durationMs) => new Promise((resolve) => setTimeout(resolve, durationMs));

async function breakAndOrder(fault) {
  await ask(`faults/${fault}`, {});
  await orderBook();
}

async function deliverTwice() {
  let [order] = await ask('orders');
  order ??= await orderBook();
  for (let looks = 0; order.status === 'PENDING_STOCK'; looks++) {
    if (looks === MAX_LOOKS)
      throw new Error(`the stock of ${order.id.slice(0, 8)} is not reserved yet; try again later`);
    await sleep(200);
    order = await ask(`orders/${order.id}`);
  }
  await ask(`orders/${order.id}/deliver-again`, {});
  notice(`order-created of ${order.id.slice(0, 8)} is delivered again: nothing is reserved twice`);
}

const FAULTS = [
  [
    'Crash before commit',
    'order-demo is killed after its database commits and before its message does. The server checks, and the transaction log answers: commit.',
    () => breakAndOrder('crash-before-commit'),
  ],
  [
    'Crash before the order is stored',
    'order-demo is killed after the half message is stored. The server checks, and the message is rolled back: neither order nor message exists.',
    () => breakAndOrder('crash-before-database-commit'),
  ],
  [
    'Handler fails twice',
    'inventory-demo fails at attempts 1 and 2. The message is retried after 1 s and 5 s, and attempt 3 reserves the stock.',
    () => breakAndOrder('fail-twice'),
  ],
  [
    'Deliver twice',
    'The newest order\u2019s message is delivered to inventory-demo again. Its inbox recognizes it.',
    deliverTwice,
    () => settings.canHurry,
  ],
  [
    'Return before reservation',
    'An order is canceled before its message is committed. The return leaves a tombstone, so the reservation does nothing.',
    () => ask('faults/return-before-reservation', {}),
  ],
  [
    'Stop inventory-demo',
    'It is killed. Orders wait in the broker until the launcher has restarted it.',
    () => ask('faults/stop-inventory', {}),
  ],
];

function showFaults() {
  find('breaking').hidden = !settings.canBreak;
  const possible = FAULTS.filter(([, , , isPossible]) => isPossible?.() ?? true);
  const items = possible.map(([title, text, work]) =>
    make(
      'li',
      {},
      make('h3', { textContent: title }),
      make('p', { textContent: text }),
      button('Break it', work, { ariaLabel: `Break it: ${title}` }),
    ),
  );
  find('faults').replaceChildren(...items);
}

// Views

function showView() {
  const isFlow = location.hash === '#flow';
  find('shop-view').hidden = isFlow;
  find('flow-view').hidden = !isFlow;
  for (const link of document.querySelectorAll('nav a')) {
    if ((link.hash === '#flow') === isFlow) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
}

/** order-demo may stop right after it has served the page. */
async function loadSettings() {
  try {
    settings = await ask('settings');
  } catch {
    await sleep(RETRY_MS);
    await loadSettings();
  }
}

async function start() {
  addEventListener('hashchange', showView);
  showView();
  await loadSettings();
  find('patience').textContent = `${Math.round(settings.paymentTimeoutMs / 1000)} s`;
  showFaults();
  watch();
  setInterval(countDown, 200);
  // Polling also shows what happened while a service was unavailable.
  setInterval(loadAll, LOOK_AGAIN_MS);
}

void start();
