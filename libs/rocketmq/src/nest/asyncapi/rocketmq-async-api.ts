// The AsyncAPI document of an application, and the route that serves it.

import type { INestApplication, INestApplicationContext } from '@nestjs/common';
import { StateError, UsageError } from '../../support/errors.js';
import {
  anyString,
  assertOptions,
  describe,
  nonEmptyString,
  type OptionChecks,
  trueOrFalse,
} from '../../support/options.js';
import { describeApplication } from './describe-application.js';
import type { RocketMQAsyncApiDocument } from './document.js';
import { sourcesOf } from './sources.js';

/** The options of `RocketMQAsyncApi.createDocument()`. */
export interface RocketMQAsyncApiOptions {
  /** The name of the application. */
  readonly title: string;
  /** The version of the application, not of AsyncAPI. */
  readonly version: string;
  /** Default: none. */
  readonly description?: string;
}

/** The options of `RocketMQAsyncApi.setup()`. */
export interface RocketMQAsyncApiSetupOptions {
  /** Whether the path begins with the global prefix of the application. Default false, as in `SwaggerModule.setup()`. */
  readonly useGlobalPrefix?: boolean;
}

const DOCUMENT_CHECKS: OptionChecks<RocketMQAsyncApiOptions> = {
  title: nonEmptyString,
  version: nonEmptyString,
  description: anyString,
};

const SETUP_CHECKS: OptionChecks<RocketMQAsyncApiSetupOptions> = { useGlobalPrefix: trueOrFalse };

/** On an HTTP adapter: the routes of its documents. Express would ignore a second one, Fastify fails without naming the call. */
const ROUTES = 'nestjs-rocketmq:asyncapi-routes';

/** Browsers resolve `.` and `..` before they ask. */
function isPath(path: string): boolean {
  const parts = path.split('/');
  return /^[\w.~/-]+$/.test(path) && !path.includes('//') && !parts.includes('.') && !parts.includes('..');
}

/** The parts of a Nest application that its type hides. */
interface ApplicationParts {
  readonly config?: { getGlobalPrefix(): string };
  readonly isInitialized?: boolean;
}

/** Describes what an application sends and receives, as an AsyncAPI 3 document. */
export class RocketMQAsyncApi {
  /**
   * The document of an application, from its listeners, handlers of requests and events, `@TransactionalSend` methods and the module option
   * `topics`, over all connections. Bodies have the JSON Schema that their Standard Schema gives (zod 4.2, arktype 2.1.28, valibot with
   * `@valibot/to-json-schema`), otherwise none. The application need not be started; call it after `connectMicroservice()`.
   * @throws UsageError that names the option, or as the start of the application; StateError `NO_MODULE` without RocketMQModule, `NO_OPTIONS` in
   *   preview mode with `forRootAsync()`
   */
  static createDocument(app: INestApplicationContext, options: RocketMQAsyncApiOptions): RocketMQAsyncApiDocument {
    const where = 'RocketMQAsyncApi.createDocument: ';
    assertOptions(options, { options: DOCUMENT_CHECKS, required: ['title', 'version'] }, where);
    const { title, version, description } = options;
    const info = { title, version, ...(description !== undefined && { description }) };
    return describeApplication(sourcesOf(app).connections, info);
  }

  /**
   * Serves a document as JSON at a path of the application, with Express or Fastify. As with `SwaggerModule.setup()`, guards do not apply;
   * middleware does. Call it before `app.listen()`.
   * @param path without the global prefix, unless `useGlobalPrefix` is set
   * @throws UsageError for an illegal path or option, and for a path that serves a document already; StateError `ROUTES_COMPLETE` after `app.init()` or `app.listen()`
   */
  static setup(
    path: string,
    app: INestApplication,
    document: RocketMQAsyncApiDocument,
    options: RocketMQAsyncApiSetupOptions = {},
  ): void {
    const where = 'RocketMQAsyncApi.setup: ';
    assertOptions(options, { options: SETUP_CHECKS }, where);
    if (typeof path !== 'string' || !isPath(path)) {
      const text = `${where}path must be a path such as "asyncapi", not ${describe(path)}`;
      throw new UsageError('ILLEGAL_OPTION', text, 'path');
    }
    const { config, isInitialized } = app as ApplicationParts;
    if (isInitialized === true) {
      const text = `${where}the application has its routes already, so "${path}" would not be found; call it before app.init() and app.listen()`;
      throw new StateError('ROUTES_COMPLETE', text);
    }
    const prefix = options.useGlobalPrefix === true ? (config?.getGlobalPrefix() ?? '') : '';
    const route = `/${[prefix, path]
      .flatMap((part) => part.split('/'))
      .filter((part) => part !== '')
      .join('/')}`;
    const json = JSON.stringify(document);
    const adapter = app.getHttpAdapter();
    const taken: readonly string[] = Reflect.getOwnMetadata(ROUTES, adapter) ?? [];
    if (taken.includes(route)) {
      const text = `${where}path ${describe(path)} serves a document already, which it still does; use another path`;
      throw new UsageError('ILLEGAL_OPTION', text, 'path');
    }
    Reflect.defineMetadata(ROUTES, [...taken, route], adapter);
    adapter.get(route, (_request: unknown, response: unknown) => {
      adapter.setHeader(response, 'content-type', 'application/json; charset=utf-8');
      adapter.reply(response, json);
    });
  }
}
