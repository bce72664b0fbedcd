// Jest in a process of its own, for what runners.long.spec.ts looks at from outside.

import base from '../../jest.config.mjs';

/** @type {import('jest').Config} */
export default {
  ...base,
  rootDir: '../..',
  testEnvironment: 'node',
  testTimeout: 30_000,
  testMatch: ['<rootDir>/test/runners/jest/*.jest.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
};
