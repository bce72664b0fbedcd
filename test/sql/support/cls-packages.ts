// nestjs-cls and its transactions, which are CommonJS. Node.js lets them require Nest 12, which is not; Jest does so only on Node.js 24.

import { jest } from '@jest/globals';
import * as common from '@nestjs/common';
import * as core from '@nestjs/core';
import * as unknownDependencies from '@nestjs/core/errors/exceptions/unknown-dependencies.exception.js';
import * as injector from '@nestjs/core/injector/injector.js';

jest.mock('@nestjs/common', () => common);
jest.mock('@nestjs/core', () => core);
jest.mock('@nestjs/core/errors/exceptions/unknown-dependencies.exception', () => unknownDependencies);
jest.mock('@nestjs/core/injector/injector', () => injector);

export const { ClsModule } = await import('nestjs-cls');
export const { ClsPluginTransactional, Propagation, Transactional, TransactionHost } = await import(
  '@nestjs-cls/transactional'
);
export const { TransactionalAdapterDrizzleOrm } = await import('@nestjs-cls/transactional-adapter-drizzle-orm');
export const { TransactionalAdapterTypeOrm } = await import('@nestjs-cls/transactional-adapter-typeorm');
