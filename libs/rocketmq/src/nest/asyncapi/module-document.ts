// The document of a module that is not running, for the command line.

import type { DynamicModule, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { CustomTransportStrategy } from '@nestjs/microservices';
import { describeApplication } from './describe-application.js';
import type { RocketMQAsyncApiDocument } from './document.js';
import type { RocketMQAsyncApiOptions } from './rocketmq-async-api.js';
import { sourcesOf } from './sources.js';

/** The module of an application that imports all others. */
export type RootModule = Type | DynamicModule;

interface ModuleDocument {
  readonly document: RocketMQAsyncApiDocument;
  /** Handlers of patterns that name no transport, as `Class.method`: whose they are, only the start of the application decides. */
  readonly undecided: readonly string[];
}

/** A microservice is created without being initialized, as an application is that needs an HTTP framework. */
const NO_STRATEGY: CustomTransportStrategy = { listen: (done) => done(), close() {} };

/**
 * Creates the modules of an application without starting it: no hook of its lifecycle runs.
 * @param isPreview whether providers are not created either, so that nothing can connect
 * @throws whatever the module throws, and as `RocketMQAsyncApi.createDocument()`
 */
export async function documentOfModule(
  module: RootModule,
  info: RocketMQAsyncApiOptions,
  isPreview: boolean,
): Promise<ModuleDocument> {
  const app = await NestFactory.createMicroservice(module, {
    strategy: NO_STRATEGY,
    logger: false,
    abortOnError: false,
    preview: isPreview,
  });
  try {
    const { connections, undecided } = sourcesOf(app);
    return { document: describeApplication(connections, info), undecided };
  } finally {
    // Nothing was created otherwise.
    if (!isPreview) await app.close();
  }
}
