// Who is compared: each column is one program with its options, run in a process of its own.

/**
 * @typedef {object} Column
 * @property {string} id
 * @property {string} label
 * @property {string} program a file of workloads/, or `java`
 * @property {object} [options] of the program; for nestjs-rocketmq.mjs { connection, producer, consumer }, as its classes take them
 * @property {'real' | 'embedded'} [server] default `real`
 * @property {number} [warmUpFactor] how much more warm-up it needs than the others; default 1
 * @property {number} [countFactor] how many more messages make a run of the same length; default 1
 * @property {boolean} [isSlowToGet] left out by --quick
 */

/** @type {readonly Column[]} */
export const COLUMNS = [
  { id: 'ours', label: 'nestjs-rocketmq', program: 'nestjs-rocketmq.mjs', options: {} },
  {
    id: 'ours-grpc-js',
    label: 'nestjs-rocketmq, transport grpc-js',
    program: 'nestjs-rocketmq.mjs',
    options: { connection: { transport: 'grpc-js' } },
    isSlowToGet: true,
  },
  {
    id: 'ours-embedded',
    label: 'nestjs-rocketmq, embedded broker',
    program: 'nestjs-rocketmq.mjs',
    options: {},
    server: 'embedded',
  },
  { id: 'node', label: 'rocketmq-client-nodejs', program: 'rocketmq-client-nodejs.mjs' },
  { id: 'java', label: 'rocketmq-client-java', program: 'java', isSlowToGet: true },
  // A JVM compiles what is hot while it runs, and 10,000 messages are not enough for it: this is what it costs in the long run.
  // The figures that the goals were set by are those of the column above.
  {
    id: 'java-warm',
    label: 'rocketmq-client-java, 5 x the warm-up',
    program: 'java',
    warmUpFactor: 5,
    isSlowToGet: true,
  },
  { id: 'raw', label: 'raw grpc-js loop', program: 'floors/floor.mjs', options: { wire: 'grpc-js' } },
  { id: 'lean', label: 'lean node:http2 loop', program: 'floors/floor.mjs', options: { wire: 'http2' } },
  ...[8, 32].flatMap((perRequest) =>
    [
      { id: 'raw', label: 'raw grpc-js loop', wire: 'grpc-js' },
      { id: 'lean', label: 'lean node:http2 loop', wire: 'http2' },
    ].map(({ id, label, wire }) => ({
      id: `${id}-${perRequest}`,
      label: `${label}, ${perRequest} messages a request`,
      program: 'floors/floor.mjs',
      options: { wire, perRequest },
    })),
  ),
  { id: 'nest', label: '@RocketMQListener', program: 'nest.mjs', options: { enhanced: false } },
  {
    id: 'nest-enhanced',
    label: '@RocketMQListener, pipe + interceptor',
    program: 'nest.mjs',
    options: { enhanced: true },
  },
];

/** @param {string} id @returns {Column} */
export function columnOf(id) {
  const found = COLUMNS.find((column) => column.id === id);
  if (found === undefined) throw new Error(`there is no column "${id}"`);
  return found;
}
