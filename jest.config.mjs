// `npm test` leaves out long suites, except those that are named: `npm run test:long` names all of them.
/** @param {string} part */
const isNamed = (part) =>
  process.argv.some((argument, at) => argument.includes(part) && !process.argv[at - 1]?.startsWith('-t'));
const areLongNamed = isNamed('.long');
const long = areLongNamed ? [] : ['\\.long\\.spec\\.ts$'];
// `npm run test:rocketmq` starts a real server and says where it is; without one, what needs it is not looked at.
const needsRealServer = process.env.ROCKETMQ_TEST_NAME_SERVER ? [] : ['<rootDir>/test/(real|alone)/'];
// These start servers of their own, and kill them.
const startsServers = process.env.ROCKETMQ_TEST_VERSION ? [] : ['<rootDir>/test/restarts/'];

const leftOut = [
  ...(needsRealServer.length > 0 ? ['test/real', 'test/alone'] : []),
  ...(startsServers.length > 0 ? ['test/restarts'] : []),
];
for (const folder of leftOut.filter(isNamed))
  throw new Error(`${folder} needs a real server: npm run test:rocketmq -- ${folder}/… starts one`);

/** @type {import('jest').Config} */
export default {
  rootDir: '.',
  testEnvironment: '<rootDir>/test/fixtures/leak-checking-environment.mjs',
  testMatch: ['<rootDir>/{libs,apps}/*/src/**/*.spec.ts', '<rootDir>/{checks,scripts,test,tools}/**/*.spec.ts'],
  testPathIgnorePatterns: ['/node_modules/', ...long, ...needsRealServer, ...startsServers],
  testTimeout: 90_000,
  // The suites wait more than they compute: for processes to start, leases to end, polls to come back.
  maxWorkers: 3,
  // What ECMAScript modules of a suite leave behind stays in its worker, and slows what comes after it: `npm test` takes 0.78 of the time
  // that it takes with workers that are kept.
  workerIdleMemoryLimit: '400MB',
  // A worker ends at once, but freeing its 300 to 500 MB took up to 1.3 s on a busy machine. Jest allows 500 ms, and then reports a leak;
  // the test environment looks for real ones.
  workerGracefulExitTimeout: 10_000,
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        swcrc: false,
        sourceMaps: 'inline',
        module: { type: 'es6' },
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
          keepClassNames: true,
        },
      },
    ],
  },
  moduleNameMapper: {
    '^nestjs-rocketmq$': '<rootDir>/libs/rocketmq/src/entries/nest.ts',
    '^nestjs-rocketmq/(client|broker|admin|sql|testing|testing/jest|testing/jest-globals|terminus|opentelemetry)$':
      '<rootDir>/libs/rocketmq/src/entries/$1.ts',
    '^nestjs-rocketmq-console$': '<rootDir>/libs/console/src/entries/nest.ts',
    '^nestjs-rocketmq-console/standalone$': '<rootDir>/libs/console/src/entries/standalone.ts',
    '^demo-kit$': '<rootDir>/libs/demo-kit/src/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  modulePathIgnorePatterns: ['<rootDir>/(libs|apps)/[^/]+/dist/'],
  collectCoverageFrom: ['{libs,apps}/*/src/**/*.ts', '!**/*.spec.ts', '!**/generated/**'],
  coverageProvider: 'v8',
};
