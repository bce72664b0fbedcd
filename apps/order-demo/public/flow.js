// The flow as a drawing: two services, the topics between them, and messages that move when a step is reported.

const SVG = 'http://www.w3.org/2000/svg';
const MOVE_MS = 900;
const ROW = 92;
const ORDER_EDGE = 128;
const TOPIC_LEFT = 172;
const TOPIC_RIGHT = 312;
const INVENTORY_EDGE = 356;

const TOPICS = [
  ['order-created', 'transaction'],
  ['stock-result', 'transaction'],
  ['order-timeout', 'delay'],
  ['order-paid', 'transaction'],
  ['stock-return', 'transaction'],
];
const rowOf = (topic) => 62 + ROW * TOPICS.findIndex(([name]) => name === topic);

/** The senders and receivers of topics: name, from x, to x, offset from the middle of the row. */
const EDGES = {
  'order>order-created': [ORDER_EDGE, TOPIC_LEFT, -9],
  'order-created>order': [TOPIC_LEFT, ORDER_EDGE, 9],
  'order-created>inventory': [TOPIC_RIGHT, INVENTORY_EDGE, 0],
  'inventory>stock-result': [INVENTORY_EDGE, TOPIC_RIGHT, 0],
  'stock-result>order': [TOPIC_LEFT, ORDER_EDGE, 0],
  'order>order-timeout': [ORDER_EDGE, TOPIC_LEFT, -9],
  'order-timeout>order': [TOPIC_LEFT, ORDER_EDGE, 9],
  'order>order-paid': [ORDER_EDGE, TOPIC_LEFT, 0],
  'order-paid>inventory': [TOPIC_RIGHT, INVENTORY_EDGE, 0],
  'order>stock-return': [ORDER_EDGE, TOPIC_LEFT, 0],
  'stock-return>inventory': [TOPIC_RIGHT, INVENTORY_EDGE, 0],
};

/** The paths of the messages of a step, by the beginning of its text; the first match counts. */
const MOVES = [
  ['half message sent', 'order>order-created'],
  ['order-created received', 'order-created>order'],
  ['reserved', 'order-created>inventory', 'inventory>stock-result'],
  ['rejected', 'order-created>inventory', 'inventory>stock-result'],
  ['not reserved', 'order-created>inventory'],
  ['redelivered: nothing to reserve', 'order-created>inventory'],
  ['redelivered: nothing to sell', 'order-paid>inventory'],
  ['redelivered: nothing to return', 'stock-return>inventory'],
  ['stock reserved', 'stock-result>order'],
  ['stock rejected', 'stock-result>order'],
  ['time-out scheduled', 'order>order-timeout'],
  ['time-out recalled', 'order>order-timeout'],
  ['time-out came', 'order-timeout>order'],
  ['canceled: not paid', 'order-timeout>order'],
  ['paid', 'order>order-paid'],
  ['sold', 'order-paid>inventory'],
  ['stock return sent', 'order>stock-return'],
  ['returned', 'stock-return>inventory'],
  ['nothing to return', 'stock-return>inventory'],
];

function draw(name, attributes, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.append(...children);
  return element;
}

function box(className, [x, y, width, height], lines) {
  const middle = y + height / 2 - (lines.length - 1) * 9;
  const texts = lines.map((line, index) =>
    draw('text', { x: x + width / 2, y: middle + 5 + index * 18, class: index === 0 ? '' : 'small' }, line),
  );
  return draw('g', { class: className }, draw('rect', { x, y, width, height, rx: 8 }), ...texts);
}

export class Flow {
  #edges = new Map();
  #services = {};

  /** @param {HTMLElement} place */
  constructor(place) {
    const label =
      'order-demo and inventory-demo, with the topics order-created, stock-result, order-timeout, order-paid and stock-return between them';
    this.svg = draw('svg', { viewBox: '0 0 484 500', role: 'img', 'aria-label': label });
    for (const [name, [from, to, off]] of Object.entries(EDGES)) {
      const y = rowOf(name.split('>').find((end) => end.includes('-'))) + off;
      const head = to > from ? -6 : 6;
      const path = draw('path', { d: `M${from} ${y} H${to} m${head} -5 L${to} ${y} l${head} 5` });
      this.#edges.set(name, { path, from, to, y });
      this.svg.append(path);
    }
    const height = ROW * TOPICS.length + 8;
    const service = (name, x, group) =>
      box('service', [x, 20, 124, height], [`${name}-demo`, '', 'consumer group', group, '', 'database', 'of its own']);
    this.#services = {
      order: service('order', 4, 'order-service'),
      inventory: service('inventory', 356, 'inventory-service'),
    };
    const topics = TOPICS.map(([name, type]) => box('topic', [TOPIC_LEFT, rowOf(name) - 26, 140, 52], [name, type]));
    this.svg.append(this.#services.order, this.#services.inventory, ...topics);
    place.append(this.svg);
  }

  /** @param {'order' | 'inventory'} service @param {boolean} isUp */
  mark(service, isUp) {
    this.#services[service].classList.toggle('down', !isUp);
  }

  /** Moves the messages of a step, one after the other. @param {string} what */
  async show(what) {
    const [, ...names] = MOVES.find(([beginning]) => what.startsWith(beginning)) ?? [];
    for (const name of names) await this.#move(this.#edges.get(name));
  }

  async #move({ path, from, to, y }) {
    path.classList.add('lit');
    const isStill = matchMedia('(prefers-reduced-motion: reduce)').matches;
    const dot = draw('circle', { cx: 0, cy: 0, r: 7 });
    const at = (x) => ({ transform: `translate(${x}px, ${y}px)` });
    this.svg.append(dot);
    const frames = isStill ? [at((from + to) / 2), at((from + to) / 2)] : [at(from), at(to)];
    // Also ends when the view is hidden.
    await dot.animate(frames, { duration: MOVE_MS, easing: 'ease-in-out' }).finished.catch(() => {});
    dot.remove();
    path.classList.remove('lit');
  }
}
