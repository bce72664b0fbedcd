// The HTTP errors of both demos, for invalid requests and when the broker is unavailable.

import {
  type ArgumentMetadata,
  type ArgumentsHost,
  BadRequestException,
  Catch,
  type ExceptionFilter,
  Logger,
  ValidationPipe,
} from '@nestjs/common';
import { RocketMQError } from 'nestjs-rocketmq';

/** A 400 that names the field. */
export function badField(field: string, message: string): BadRequestException {
  return new BadRequestException({ statusCode: 400, error: 'Bad Request', field, message });
}

/** Validates bodies by their DTO class; an invalid body gets a 400 that names the first invalid field. */
export function requestValidation(): ValidationPipe {
  return new RequestValidation({
    whitelist: true,
    forbidNonWhitelisted: true,
    exceptionFactory: ([first]) => {
      const problem = Object.values(first?.constraints ?? {})[0];
      return badField(first?.property ?? 'body', problem ?? 'the body is not valid');
    },
  });
}

/** Far more than any body here has. The validator is recursive, so deeper bodies could overflow the stack. */
const MAX_LEVELS = 32;

class RequestValidation extends ValidationPipe {
  override async transform(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    const [field] = Object.entries(isObject(value) ? value : {}).find(([, inner]) => isDeep(inner)) ?? [];
    if (field === undefined) return super.transform(value, metadata);
    const what = Array.isArray(value) ? 'body' : field;
    throw badField(what, `${what} is nested deeper than ${MAX_LEVELS} levels`);
  }
}

function isDeep(value: unknown): boolean {
  let level = [value];
  for (let depth = 0; depth <= MAX_LEVELS; depth++) {
    level = level.filter(isObject).flatMap((one): unknown[] => Object.values(one));
    if (level.length === 0) return false;
  }
  return true;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

interface JsonResponse {
  status(statusCode: number): { json(body: unknown): unknown };
}

/** Converts errors of the broker to a 503 that states whether the request took effect. For controllers. */
@Catch(RocketMQError)
export class BrokerErrorFilter implements ExceptionFilter<RocketMQError> {
  private readonly logger = new Logger(BrokerErrorFilter.name);

  catch({ code, message, outcome, retryable }: RocketMQError, host: ArgumentsHost): void {
    this.logger.warn(message);
    const body = { statusCode: 503, error: 'Service Unavailable', code, message, outcome, retryable };
    host.switchToHttp().getResponse<JsonResponse>().status(503).json(body);
  }
}
